"""Verify of the whole ledger and what lies elsewhere: not looked at and said so, or looked at."""

from pathlib import Path

from commandline import LINEAL, Place


def _codes(place: Place, *more: str) -> tuple[int, dict[str, bool]]:
    done = place.do(*LINEAL, "verify", "--json", *more)
    return done.status, {finding["code"]: finding["failed"] for finding in done.json()["findings"]}


def test_references_are_looked_at_when_asked_for(tmp_path: Path) -> None:
    place = Place(tmp_path / "work", tmp_path / "home")
    for folder in (place.folder / "data", place.home):
        folder.mkdir(parents=True)
    (place.folder / "data" / "a.txt").write_text("a")
    (place.folder / "data" / "b.txt").write_text("b")
    assert place.do(*LINEAL, "init").status == 0
    assert _codes(place) == (0, {})
    assert place.do(*LINEAL, "snapshot", "dataset:d", "data", "--reference").status == 0
    assert _codes(place) == (0, {"references.unseen": False})
    assert _codes(place, "--references") == (0, {})
    (place.folder / "data" / "a.txt").write_text("A")
    (place.folder / "data" / "b.txt").unlink()
    assert _codes(place) == (0, {"references.unseen": False})
    assert _codes(place, "--references") == (10, {"dataset.files_changed": True, "dataset.files_vanished": True})
    assert _codes(place, "dataset:d")[0] == 10
