"""What DVC says, step by step, as observations: versions first, then the runs that used and made them."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from lineal.app.dvc_foreign import Foreign, file_node, foreign
from lineal.app.dvc_hash import Alike, hash_draft
from lineal.app.dvc_runs import Parts, observe_run, run_ref
from lineal.app.dvc_versions import Draft, Drafts, Numbers
from lineal.app.naming import spell_name
from lineal.app.session import Session
from lineal.core import path as paths
from lineal.core.claim import claimed_code
from lineal.core.edge import Edge
from lineal.core.event import MAX_BODY
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import clean
from lineal.errors import LinealError
from lineal.objects.batch import Batch
from lineal.sources.dvc import Reader
from lineal.sources.dvc_config import Config
from lineal.sources.dvc_git import Repository
from lineal.sources.dvc_items import Item
from lineal.sources.dvc_lists import Files, Lists
from lineal.sources.dvc_metrics import LARGEST, read_numbers
from lineal.sources.dvc_seen import Placed, Seen

_MOST_TRIED: Final = 8


@dataclass(slots=True)
class _Step:
    """What one step found: versions to say, runs to say after them, what the bytes were, gaps."""

    drafts: list[Draft] = field(default_factory=list)
    runs: list[tuple[Seen, Parts]] = field(default_factory=list)
    hashed: list[Observation] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


class Recorder:
    """Turns what was seen into observations, some at a time: their objects are kept before they are said."""

    def __init__(
        self,
        session: Session,
        repository: Repository,
        reader: Reader,
        configs: Mapping[bytes, Config],
        *,
        use_remote: bool,
        hash_bytes: bool,
    ) -> None:
        self.lists = Lists(configs, use_remote=use_remote)
        self._session, self._repository, self._configs = session, repository, configs
        self._hash_bytes = hash_bytes
        self._drafts = Drafts(repository.name, reader.declared, self.lists)
        self._numbers = Numbers(session)
        self._codes: dict[str, Node] = {}
        self._alike: Alike = {}
        self._folders: dict[bytes, list[tuple[Seen, Item, str]]] = {}

    def record(self, waiting: list[Seen]) -> Iterator[Observation | Gap]:
        """Yield what is to be said of `waiting`, whose commits are whole and in their order."""
        if not waiting:
            return
        step = _Step()
        with self._session.objects.batch() as batch:
            self._drafts.put = batch.put_bytes
            for _, group in itertools.groupby(waiting, lambda seen: seen.commit.order):
                self._take(list(group), step, batch)
        self._find_codes(seen.commit.id for seen, _ in step.runs)
        yield from step.gaps
        for said in (*self._numbers.say(step.drafts), *step.hashed, *(self._run(*each) for each in step.runs)):
            yield _fit(said)

    def _run(self, seen: Seen, parts: Parts) -> Observation:
        code = None if any(each.agrees is False for each in seen.deps) else self._codes[seen.commit.id]
        return observe_run(seen, self._repository.name, self._session.actor, replace(parts, code=code))

    def _take(self, group: list[Seen], step: _Step, batch: Batch) -> None:
        """Draft what one commit brought: first what was tracked and made, then what was used."""
        made = {seen.key: [self._refer(seen, out, step, batch) for out in seen.outs] for seen in group}
        for seen in group:
            if not seen.stage.commands:
                continue
            used = [self._use(seen, dep, step, batch) for dep in seen.deps]
            known = [each for each in (*made[seen.key], *used) if each is not None]
            self._add_run(seen, step, known, [each.ref for each in made[seen.key] if each is not None])

    def _add_run(self, seen: Seen, step: _Step, known: list["_Named"], made: list[str]) -> None:
        nodes = {each.node.ref: each.node for each in known if each.node is not None}
        more = {node.ref: node for each in known for node in each.nodes}
        ref = run_ref(seen)
        gaps = [
            Gap(
                "dvc.code_differs",
                f"git has another file at {seen.commit.id[:12]} than the stage ran with",
                _about(dep),
            )
            for dep in seen.deps
            if dep.agrees is False
        ]
        outs = set(made)
        parts = Parts(
            used=[each.ref for each in known if each.ref not in outs],
            made=made,
            code=None,
            nodes=tuple({**more, **nodes}.values()),
            edges=tuple(edge for each in known for edge in each.edges),
            metrics={**seen.metrics, **self._cached_metrics(seen, step)},
            gaps=tuple(Gap(gap.code, gap.explanation, gap.about or ref) for gap in gaps),
        )
        step.runs.append((seen, parts))

    def _refer(self, seen: Seen, placed: Placed, step: _Step, batch: Batch) -> "_Named | None":
        """Return what stands for an output or a tracked thing; what it came from is drafted with it."""
        if placed.role == "file" and placed.path is not None:
            node = file_node(self._repository.name, placed.item, placed.path, seen.commit.id)
            return None if node is None else _Named(node.ref, node)
        if placed.role == "outside":
            return self._outside(seen, placed, step)
        made, is_first = self._drafts.draft(seen, placed)
        if isinstance(made, Gap):
            if is_first:
                step.gaps.append(Gap(made.code, made.explanation, made.about or _about(placed)))
            return None
        if is_first:
            if not seen.stage.commands:
                made = self._sources(seen, placed, made, step)
            elif placed.path is not None:
                made = self._within(seen, placed, made)
            step.drafts.append(made)
            if placed.path is not None and (placed.item.files is not None or _is_folder(placed.item)):
                self._folders.setdefault(placed.path, []).append((seen, placed.item, made.ref))
            if self._hash_bytes:
                found = hash_draft(self._session, made, self.lists, batch, self._alike)
                if isinstance(found, Gap):
                    step.gaps.append(found)
                elif found is not None:
                    step.hashed.append(found)
        return _Named(made.ref)

    def _use(self, seen: Seen, placed: Placed, step: _Step, batch: Batch) -> "_Named | None":
        return None if placed.role in ("code", "none") else self._refer(seen, placed, step, batch)

    def _sources(self, seen: Seen, placed: Placed, made: Draft, step: _Step) -> Draft:
        """Return the draft of what is tracked with where it was imported from."""
        for dep in seen.deps:
            found = self._outside(seen, dep, step, placed.item, made.files) if dep.role == "outside" else None
            if found is not None and found.ref != made.ref:
                edge = Edge(found.ref, made.ref, "derived_from")
                nodes = (*made.nodes, *found.nodes, *((found.node,) if found.node is not None else ()))
                made = replace(made, nodes=nodes, edges=(*made.edges, *found.edges, edge))
        return made

    def _outside(
        self, seen: Seen, dep: Placed, step: _Step, out: Item | None = None, files: Files | None = None
    ) -> "_Named | None":
        found: Foreign | Gap
        try:
            found = foreign(dep.item, self._configs[seen.project], out, files, self._drafts.put)
        except LinealError as error:
            found = Gap("dvc.source", f"what it came from is not recorded: {error.message}")
        if isinstance(found, Gap):
            step.gaps.append(Gap(found.code, found.explanation, found.about or paths.spell(seen.file)))
            return None
        return _Named(found.node.ref, found.node, found.nodes, found.edges)

    def _within(self, seen: Seen, placed: Placed, made: Draft) -> Draft:
        """Return the draft of a file in a tracked folder, derived from the version of the folder that has it."""
        path = placed.path or b""
        for place in range(len(path) - 1, 0, -1):
            if path[place : place + 1] != b"/":
                continue
            known = [each for each in self._folders.get(path[:place], ()) if each[0].commit <= seen.commit]
            for above, item, ref in reversed(known[-_MOST_TRIED:]):
                files = self.lists.files(above.project, item, ref)
                inside = () if isinstance(files, Gap) else files
                same = item.is_dos2unix == placed.item.is_dos2unix and placed.item.oid is not None
                if same and any(each.path == path[place + 1 :] and each.md5 == made.files[0].md5 for each in inside):
                    return replace(made, edges=(*made.edges, Edge(ref, made.ref, "derived_from")))
        return made

    def _cached_metrics(self, seen: Seen, step: _Step) -> dict[str, str]:
        found: dict[str, str] = {}
        for out in seen.outs:
            item = out.item
            if not item.is_metric or not item.is_cached or item.oid is None or item.oid.is_dir or out.path is None:
                continue
            try:
                holders = self.lists.holders(seen.project, item.remote)
                read = (holder.read(item.oid, LARGEST) for holder in holders)
                data = next((each for each in read if each is not None), None)
                if data is None:
                    step.gaps.append(Gap("dvc.metrics", "the metrics file is not in the cache", _about(out)))
                else:
                    found.update(read_numbers(data, out.path))
            except LinealError as error:
                step.gaps.append(Gap("dvc.metrics", f"its values are not recorded: {error.message}", _about(out)))
        return found

    def _find_codes(self, commits: Iterable[str]) -> None:
        """Look up the code at each commit: as it is recorded first, else by the word of DVC."""
        wanted = [commit for commit in dict.fromkeys(commits) if commit not in self._codes]
        known = self._session.catalog.with_aliases(wanted) if wanted else {}
        for commit in wanted:
            claimed = claimed_code(spell_name(self._repository.name.encode()), commit, self._repository.url)
            name = claimed.ref.partition("@")[0]
            views = [view for view in known.get(commit, []) if f"{view.kind}:{view.name}" == name and view.time]
            # Of a dirty tree, the commit is an alias and no version. Oldest first: the choice stays when others come.
            read = [view for view in views if view.version == commit and view.basis != "claimed"]
            found = min(read, key=lambda view: view.id, default=None)
            self._codes[commit] = claimed if found is None else Node(ref=found.canonical, basis="observed")


@dataclass(frozen=True, slots=True)
class _Named:
    """A reference, and what is to be said with it: its own node, others, edges between those."""

    ref: str
    node: Node | None = None
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


def _fit(said: Observation) -> Observation | Gap:
    """Return what can be recorded; a gap for what breaks a rule of the record, so that the rest goes on."""
    try:
        size = len(said.body())
    except LinealError as error:
        return Gap("dvc.not_recorded", f"what DVC says cannot be recorded: {error.message}", said.subject[0])
    if size > MAX_BODY:
        return Gap("dvc.not_recorded", f"what DVC says has {size} bytes, more than one entry takes", said.subject[0])
    return said


def _is_folder(item: Item) -> bool:
    return item.oid is not None and item.oid.is_dir


def _about(placed: Placed) -> str:
    return paths.spell(placed.path) if placed.path is not None else clean(placed.item.path)
