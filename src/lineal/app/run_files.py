"""The files of a run: hashed, kept, and matched with the versions that are recorded already."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.app.naming import file_ref
from lineal.app.run_options import RunOptions
from lineal.app.session import Session
from lineal.capture.accesses import Stat
from lineal.capture.file_roles import Plan, PlannedFile
from lineal.capture.files import FileRecord, hash_files
from lineal.catalog.reader import NodeView
from lineal.core import canonical
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node
from lineal.datasets import manifest
from lineal.errors import BadInput, LinealError, ObjectChanged
from lineal.objects.batch import Batch

MAX_SINGLE: Final = 500
_MAX_MANIFEST: Final = 1_000_000


@dataclass(slots=True)
class Files:
    """What a run read and left: every record, and the nodes and edges that they give."""

    inputs: list[FileRecord]
    outputs: list[FileRecord]
    used: list[str]
    generated: list[str]
    nodes: list[Node]
    edges: list[Edge]
    gaps: list[Gap]

    def table(self) -> bytes:
        """Return every record, one canonical document a line: what the run's object ``files`` holds."""
        return b"".join(canonical.encode(each.describe()) + b"\n" for each in (*self.inputs, *self.outputs))


def plan_inputs(named: Iterable[Path]) -> tuple[PlannedFile, ...]:
    """Return the files that a person named as inputs, in the state they are in now: before the run."""
    found: list[PlannedFile] = []
    for path in _files_in(named):
        before = None
        with contextlib.suppress(OSError):
            now = os.stat(path)
            before = Stat(now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_mode)
        found.append(PlannedFile(path=path, role="input", before=before))
    return tuple(found)


def read_files(
    session: Session, batch: Batch, plan: Plan, options: RunOptions, added: Sequence[PlannedFile] = ()
) -> Files:
    """Hash the files of `plan`, the inputs `added` before the run, and the outputs named in `options`.

    Outputs are kept in `batch` as far as the options allow.
    """
    traced = {each.path for each in plan.inputs}
    made = {each.path for each in plan.outputs}
    inputs = hash_files((*plan.inputs, *(each for each in added if each.path not in traced)))
    named = (path for path in _files_in(options.outputs) if path not in made)
    outputs = (*plan.outputs, *(PlannedFile(path=path, role="output", before=None) for path in named))
    files = Files(inputs, [], [], [], [], [], [])
    kept = _read_outputs(batch, outputs, options, files)
    _match_inputs(session, batch, files)
    _name_outputs(session, batch, files, kept)
    for record in (*files.inputs, *files.outputs):
        if record.status != "ok":
            explanation = record.reason or f"{record.role} without a digest: {record.status}"
            files.gaps.append(Gap(f"run.file.{record.status}", explanation, paths.spell(record.path)))
    for given in options.outputs:
        if not os.path.lexists(given):
            missing = paths.spell(os.path.abspath(os.fsencode(given)))
            files.gaps.append(Gap("run.output_missing", "the command did not leave this output", missing))
    more = len(files.gaps) - MAX_SINGLE
    if more > 0:
        files.gaps[MAX_SINGLE:] = [Gap("run.more_gaps", f"{more} more files have a gap: see the object `files`")]
    return files


def _files_in(named: Iterable[Path]) -> list[bytes]:
    """Return the absolute paths of what a person named; folders stand for the files in them."""
    names: dict[bytes, None] = {}
    for given in named:
        absolute = os.path.abspath(os.fsencode(given))
        if os.path.isdir(absolute):
            for folder, _, files in os.walk(absolute):
                names.update(dict.fromkeys(os.path.join(folder, file) for file in sorted(files)))
        elif os.path.lexists(absolute):
            names[absolute] = None
    return list(names)


def _read_outputs(batch: Batch, outputs: Iterable[PlannedFile], options: RunOptions, files: Files) -> set[Digest]:
    budget = options.keep_bytes
    kept: set[Digest] = set()
    rest: list[PlannedFile] = []
    for each in outputs:
        try:
            size = os.stat(each.path).st_size
            if size > budget or not os.path.isfile(each.path):
                rest.append(each)
                continue
            stored = batch.put_file(each.path)
        except (OSError, BadInput, ObjectChanged):
            rest.append(each)  # hashing says what is the matter with it
            continue
        budget -= stored.size
        kept.add(stored.digest)
        files.outputs.append(
            FileRecord(path=each.path, role="output", status="ok", digest=stored.digest, size=stored.size)
        )
    records = hash_files(rest)
    large = sum(record.status == "ok" for record in records)
    if large:
        explanation = f"{large} outputs over the limit of {options.keep_bytes} bytes are recorded, not kept"
        files.gaps.append(Gap("run.not_kept", explanation))
    files.outputs = sorted((*files.outputs, *records), key=lambda record: record.path)
    return kept


def _match_inputs(session: Session, batch: Batch, files: Files) -> None:
    """Say which recorded versions were used: the dataset a file lies in, a model, else the file itself."""
    read = [record for record in files.inputs if record.digest is not None]
    rest = _match_datasets(session, read, files)
    known = session.catalog.with_digests([str(record.digest) for record in rest])
    holders = session.catalog.holders([str(record.digest) for record in rest if record.size])
    single: list[FileRecord] = []
    for record in rest:
        same = known.get(str(record.digest), ())
        held = [view for view, _ in holders.get(str(record.digest), ()) if view.kind == "dataset"]
        if record.digest is not None and file_ref(session, record.path, record.digest) in {
            view.canonical for view in same
        }:
            held = []  # this very file is on record, perhaps with the run that made it: that says more than equal bytes
        models = [view for view in same if view.kind == "model"]
        files.used.extend(view.canonical for view in (*held[:1], *models[:1]))
        if not held:
            single.append(record)
    for node in _nodes(session, batch, single, frozenset()):
        files.nodes.append(node)
        files.used.append(node.ref)
        files.edges.extend(_same_bytes(node, known.get(str(node.digest), ())))
    files.used = list(dict.fromkeys(files.used))


def _match_datasets(session: Session, records: list[FileRecord], files: Files) -> list[FileRecord]:
    """Match files with datasets snapshotted from where they lie, latest version first; return those not matched."""
    places: dict[bytes, list[NodeView]] = {}
    for view in reversed(session.catalog.all_nodes("dataset")):
        if "path" in view.detail:
            places.setdefault(paths.unspell(view.detail["path"]), []).append(view)
    rest = records
    for place, versions in places.items():
        near = [each for each in rest if each.path == place or each.path.startswith(place + b"/")]
        for view in versions if near else ():
            inside = _inside(session, view, place, near)
            if inside:
                files.used.append(view.canonical)
                near = [each for each in near if each.path not in inside]
                rest = [each for each in rest if each.path not in inside]
            if not near:
                break
    return rest


def _inside(session: Session, view: NodeView, place: bytes, records: list[FileRecord]) -> set[bytes]:
    """Return the paths of those `records` that are, byte for byte, files of the dataset version `view`."""
    try:
        found = manifest.load(Digest.parse(view.digest or ""), session.objects)
        if found.count > _MAX_MANIFEST:
            return set()
        content = {entry.path: entry.digest for entry in manifest.entries(found, session.objects)}
    except LinealError:
        return set()  # a manifest that is gone or damaged is for `verify` to report; the files are recorded singly
    inside = set()
    for each in records:
        name = os.path.basename(place) if each.path == place else each.path[len(place) + 1 :]
        if content.get(name) == each.digest:
            inside.add(each.path)
    return inside


def _same_bytes(node: Node, known: Iterable[NodeView]) -> list[Edge]:
    """Return an edge from the latest other file with the same bytes, for a file that was copied or moved by hand."""
    if any(view.canonical == node.ref for view in known) or not node.detail.get("size"):
        return []
    others = [view.canonical for view in known if view.kind == "file"]
    return [Edge(others[0], node.ref, "same_as")] if others else []


def _name_outputs(session: Session, batch: Batch, files: Files, kept: set[Digest]) -> None:
    written = [record for record in files.outputs if record.digest is not None]
    for node in _nodes(session, batch, written, kept):
        files.nodes.append(node)
        files.generated.append(node.ref)


def _nodes(session: Session, batch: Batch, records: list[FileRecord], kept: Iterable[Digest]) -> list[Node]:
    """Return a node for each file; of very many, one for the folder that they all lie in."""
    kept = frozenset(kept)
    if len(records) <= MAX_SINGLE:
        return [_single(session, record, kept) for record in records if record.digest is not None]
    return [_together(session, batch, records, kept)]


def _single(session: Session, record: FileRecord, kept: frozenset[Digest]) -> Node:
    digest = record.digest or Digest(b"")
    detail = {"path": paths.spell(record.path), "size": record.size}
    if digest in kept:
        detail["stored"] = "object"
    return Node(ref=file_ref(session, record.path, digest), basis="observed", digest=digest, detail=detail)


def _together(session: Session, batch: Batch, records: list[FileRecord], kept: frozenset[Digest]) -> Node:
    folder = os.path.commonpath([os.path.dirname(record.path) for record in records])
    entries = [
        manifest.Entry(os.path.relpath(record.path, folder), "f", record.digest, record.size or 0)
        for record in records
        if record.digest is not None
    ]
    found = manifest.write(sorted(entries, key=lambda entry: entry.path), batch.put_bytes)
    whole = all(entry.digest in kept for entry in entries)
    detail = {
        "path": paths.spell(folder),
        "files": found.count,
        "size": found.size,
        "stored": "dataset" if whole else "manifest",
    }
    ref = file_ref(session, folder, found.digest)
    return Node(ref=ref, basis="observed", digest=found.digest, detail=detail)
