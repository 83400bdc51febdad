"""Whatever stands in DVC's files, reading them gives values or an error of the house, and paths stay inside."""

import contextlib
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from lineal.app.dvc_text import tell_notes, tell_parameters
from lineal.core import canonical
from lineal.errors import LinealError
from lineal.sources.dvc_cache import parse_list
from lineal.sources.dvc_config import parse
from lineal.sources.dvc_file import locate, read_dvc, read_lock
from lineal.sources.dvc_items import Oid
from lineal.sources.dvc_metrics import read_numbers
from lineal.sources.dvc_pipeline import matches, read_pipeline

MD5 = "0123456789abcdef0123456789abcdef"
LOCK = f"""schema: '2.0'
stages:
  t@a:
    cmd: [x]
    deps:
    - {{path: d, md5: {MD5}.dir}}
    params: {{p.yaml: {{a.b: [1, {{c: 2}}]}}}}
    outs:
    - path: o
      files:
      - {{relpath: r, md5: {MD5}, size: 1, cloud: {{s: {{etag: e, version_id: v}}}}}}
"""
TRACKED = f"""outs: &o
- {{md5: {MD5}, size: 3, path: x, hash: md5, meta: {{k: [1, ~]}}}}
deps: *o
wdir: ..
"""
PIPELINE = """stages: {s: {foreach: [a], do: {cmd: c, outs: [{o: {cache: false, desc: d}}], metrics: [m.json]}}}
artifacts: {n: {path: o, type: model, labels: [l]}}
<<: {vars: [{a: 1}]}
"""
LISTED = f'[{{"md5": "{MD5}", "relpath": "a/b"}}]'
CONFIG = "[core]\nremote = r\n['remote \"r\"']\nurl = s3://b/p # c\n"
SEEDS = tuple(text.encode() for text in (LOCK, TRACKED, PIPELINE, LISTED, CONFIG))
READERS: tuple[Callable[[bytes], object], ...] = (
    lambda data: read_dvc(data, "x.dvc"),
    lambda data: read_lock(data, "dvc.lock"),
    lambda data: read_pipeline(data, "dvc.yaml"),
    lambda data: parse_list(Oid("a" * 32, is_dir=True, is_dos2unix=False), data),
    lambda data: parse(data, "config"),
    lambda data: read_numbers(data, b"m.json"),
    lambda data: read_numbers(data, b"m.yaml"),
    lambda data: read_numbers(data, b"m.toml"),
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(st.binary(max_size=4), st.sampled_from(SEEDS))), max_size=4
)


def edit(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, length, new in edits:
        start = int(place * len(data))
        data = data[:start] + new + data[start + length :]
    return data


@given(st.sampled_from(SEEDS), EDITS)
def test_no_text_makes_a_reader_fail_otherwise(seed: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    data = edit(seed, edits)
    for read in READERS:
        with contextlib.suppress(LinealError):
            read(data)


@given(st.sampled_from(SEEDS[:2]), EDITS)
def test_what_is_read_can_be_told(seed: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    data = edit(seed, edits)
    stages = []
    with contextlib.suppress(LinealError):
        stages += [read_dvc(data, "x")]
    with contextlib.suppress(LinealError):
        stages += read_lock(data, "x")
    for stage in stages:
        notes = [tell_notes(each.notes) for each in (*stage.outs, *stage.deps)]
        canonical.encode([notes, tell_parameters(stage.params)])


PATHS = st.lists(st.sampled_from(["..", ".", "", "a", "b c", "/"]), max_size=7).map("/".join)


@given(PATHS.filter(lambda path: not path.startswith("/")), st.one_of(st.none(), PATHS), PATHS)
def test_what_is_located_lies_inside(folder: str, wdir: str | None, path: str) -> None:
    inside = b"/".join(part for part in folder.encode().split(b"/") if part not in (b"", b".", b".."))
    found = locate(inside, wdir, path)
    if found is not None:
        assert all(part not in (b"", b".", b"..") for part in found.split(b"/"))


@given(st.lists(st.text("ab/.", max_size=4), min_size=2, max_size=5), st.lists(st.text("ab/.", max_size=3), max_size=5))
def test_a_template_matches_whatever_is_put_in(pieces: list[str], values: list[str]) -> None:
    given_values = (values + ["x"] * len(pieces))[: len(pieces) - 1]
    path = pieces[0] + "".join(value + piece for value, piece in zip(given_values, pieces[1:], strict=True))
    assert matches("${item}".join(pieces), path)
