"""The parts of which differences are put together: files by manifests, code, environments, runs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from lineal.app.comparison import Change, Section, compare, flatten, gather, untold
from lineal.app.life import CONTENT, Known, Step
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.datasets import manifest
from lineal.datasets.difference import diff
from lineal.datasets.manifest import Entry
from lineal.errors import LinealError

# What says where an environment was, rather than what it was.
_PLACES: Final = frozenset({"packages", "objects", "label", "hostname", "executable", "prefix", "base_prefix", "path"})


def compare_files(session: Session, name: str, old: NodeView, new: NodeView) -> Section:
    """Return which files differ between two versions that have manifests, by path."""
    if old.digest is None or new.digest is None:
        return untold(name, "there is no manifest of its files")
    try:
        before, after = _comparable(session, old, new), _comparable(session, new, old)
        told: Counter[str] = Counter()
        changes = (
            Change(name=paths.spell(each.path), old=_entry(each.old), new=_entry(each.new))
            for each in diff(before, after, session.objects)
            if not _is_untold(each.old, each.new, told)
        )
        found = gather(name, changes, same=None)
    except LinealError as error:
        return untold(name, f"the files cannot be compared: {error.message}")
    same = before.count - found.removed - found.changed - told.total()
    if not told:
        return replace(found, same=same)
    why = (
        f"{told.total():,} files are known by their bytes on one side and by a pin on the other: whether they differ is"
    )
    return replace(found, same=same, note=f"{why} not known")


def _comparable(session: Session, view: NodeView, other: NodeView) -> manifest.Manifest:
    """Return the manifest of `view` in which its files are known as those of `other` are: by bytes, or by pins.

    A digest of bytes and one of a pin differ whatever the file.
    """
    found = manifest.load(Digest.parse(view.digest or ""), session.objects)
    pinned = view.detail.get("pinned")
    if pinned is None or other.detail.get("pinned") is not None or other.digest is None:
        return found
    first = next(manifest.entries(manifest.load(Digest.parse(other.digest), session.objects), session.objects), None)
    behind = session.catalog.find([str(pinned)]).get(str(pinned))
    if first is None or first.kind != "p" or behind is None or behind.digest is None:
        return found
    return manifest.load(Digest.parse(behind.digest), session.objects)


def _is_untold(old: Entry | None, new: Entry | None, told: Counter[str]) -> bool:
    """Return whether two entries of one path cannot be compared, and note it in `told`."""
    if old is None or new is None or (old.kind == "p") == (new.kind == "p") or old.size != new.size:
        return False
    told[old.kind] += 1
    return True


def _entry(entry: Entry | None) -> str | None:
    if entry is None:
        return None
    mode = {"x": ", executable", "l": ", link"}.get(entry.kind, "")
    return f"{entry.digest.hex[:12]}, {entry.size:,} bytes{mode}"


def compare_code(session: Session, old: list[Known], new: list[Known]) -> Iterator[Section]:
    """Yield how the code of two runs differs: commits and state first, then the files of the kept trees."""
    yield compare("code", _by_name(old, _code), _by_name(new, _code))
    yield from _trees(session, "source files", old, new)


def _code(known: Known) -> str:
    commit, dirty = known.detail.get("commit"), known.detail.get("dirty")
    if not commit:
        return f"no commit, tree {_short(known.view.digest)}"
    # A dirty commit stands for many trees, a clean one for exactly one.
    return f"{commit[:12]} + uncommitted changes, tree {_short(known.view.digest)}" if dirty else str(commit)[:12]


def compare_data(session: Session, name: str, old: list[Known], new: list[Known]) -> Iterator[Section]:
    """Yield how datasets and files differ: versions by name, then the files of each dataset that changed."""
    yield compare(name, _by_name(old, _version), _by_name(new, _version))
    yield from _trees(session, "files of", old, new)


def _version(known: Known) -> str:
    number = known.view.version
    numbered = number is not None and number.isdecimal()
    return f"@{number} {_short(known.view.digest)}" if numbered else _short(known.view.digest)


def _trees(session: Session, name: str, old: list[Known], new: list[Known]) -> Iterator[Section]:
    before, after = _single(old), _single(new)
    for key in sorted(before.keys() & after.keys()):
        if (
            before[key].view.digest != after[key].view.digest
            and _has_manifest(before[key])
            and _has_manifest(after[key])
        ):
            title = f"{name} {key}" if name.endswith("of") else name
            yield compare_files(session, title, before[key].view, after[key].view)


def _has_manifest(known: Known) -> bool:
    return known.detail.get("stored") in {"dataset", "manifest"}


def _single(found: Iterable[Known]) -> dict[str, Known]:
    """Return those things by name of which there is one version only."""
    grouped: dict[str, list[Known]] = {}
    for known in found:
        grouped.setdefault(_name(known), []).append(known)
    return {name: items[0] for name, items in grouped.items() if len(items) == 1}


def _by_name(found: Iterable[Known], describe: Callable[[Known], str]) -> dict[str, str]:
    grouped: dict[str, list[str]] = {}
    for known in found:
        grouped.setdefault(_name(known), []).append(describe(known))
    return {name: ", ".join(sorted(items)) for name, items in grouped.items()}


def _name(known: Known) -> str:
    return f"{known.view.kind}:{known.view.name}"


def compare_environments(old: list[Known], new: list[Known]) -> Iterator[Section]:
    """Yield how environments differ: interpreter and system, then packages by version and content."""
    yield compare("environment", _facts(old), _facts(new))
    yield compare("packages", _packages(old), _packages(new))


def _facts(found: list[Known]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for known in found:
        if known.view.kind == "container":
            facts[_name(known)] = _short(known.view.digest)
        leaves = flatten({name: value for name, value in known.detail.items() if name not in _PLACES})
        facts.update((name, value) for name, value in leaves.items() if name.rpartition(".")[2] not in _PLACES)
    return facts


def _packages(found: list[Known]) -> dict[str, str]:
    packages: dict[str, str] = {}
    for known in found:
        for each in known.detail.get("packages", ()):
            name, version, record = _package(each)
            packages[name] = f"{version} ({record.removeprefix('sha256:')[:12]})" if record else version
    return packages


def _package(each: Any) -> tuple[str, str, str]:
    if isinstance(each, dict):
        return str(each["name"]), str(each["version"]), str(each.get("record") or "")
    name, version, record = (*each, None, None)[:3]
    return str(name), str(version), str(record or "")


def compare_runs(session: Session, old: Step, new: Step) -> Iterator[Section]:
    """Yield how two runs differ: parameters, metrics, code, data, environment, command, seeds, what they made."""
    before, after = old.run.detail, new.run.detail
    yield compare("parameters", _values(before), _values(after))
    yield compare("metrics", before.get("metrics") or {}, after.get("metrics") or {}, numbers=True)
    yield from compare_code(session, old.inputs("code"), new.inputs("code"))
    yield from compare_data(session, "inputs", old.inputs(*CONTENT, "model"), new.inputs(*CONTENT, "model"))
    surroundings = ("environment", "container")
    yield from compare_environments(old.inputs(*surroundings), new.inputs(*surroundings))
    yield compare("hardware", flatten(before.get("hardware") or {}), flatten(after.get("hardware") or {}))
    yield compare("environment variables", _variables(before), _variables(after))
    yield compare("seeds", before.get("seeds") or {}, after.get("seeds") or {})
    yield compare("command", _command(before), _command(after))
    yield from compare_data(session, "outputs", old.outputs(*CONTENT, "model"), new.outputs(*CONTENT, "model"))


def _variables(detail: dict[str, Any]) -> dict[str, Any]:
    found = detail.get("environment_variables") or {}
    return flatten(found.get("values", found))


def _values(detail: dict[str, Any]) -> dict[str, Any]:
    parameters = detail.get("parameters") or {}
    return {name: each["value"] if isinstance(each, dict) else each for name, each in parameters.items()}


def _command(detail: dict[str, Any]) -> dict[str, Any]:
    names = ("argv", "cwd", "exit_status", "mechanism", "activity")
    return {name: detail[name] for name in names if detail.get(name) is not None}


def _short(digest: str | None) -> str:
    return "-" if digest is None else digest.removeprefix("sha256:")[:12]
