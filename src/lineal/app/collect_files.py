"""Collect configuration from files: manifests, charts, states and plain files of a folder, as items by path."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from lineal.app.collect import Collected, Collection, Progress, collect
from lineal.app.config_record import new_items, observe_items
from lineal.app.files_gone import SOURCE, find_gone, list_looks
from lineal.app.files_root import Root, open_root
from lineal.app.session import Session
from lineal.capture.source_tree import is_secret_file
from lineal.change.semantic import with_semantic
from lineal.core.config_item import ConfigItem
from lineal.core.observation import Gap, Observation
from lineal.errors import BadInput
from lineal.sources.config_files import read_root
from lineal.sources.config_files_items import AS, Options, read_files

_STEP: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How files are taken: `taken` for one of `AS` (empty: as they look), in which `cluster` and `namespace`.

    `name` is what the root is called in the place of its own name.
    """

    taken: str = ""
    cluster: str = "default"
    namespace: str = "default"
    name: str | None = None


def collect_files(
    session: Session, path: Path, wanted: Wanted | None = None, on_progress: Progress | None = None
) -> Collected:
    """Record what the folder or file `path` configures and the ledger does not know, and what is gone from it.

    What is counted are things: objects, files, resources. Raises `BadInput` where nothing is at `path`, and for options
    that cannot be.
    """
    how = wanted or Wanted()
    if how.taken and how.taken not in AS:
        raise BadInput(f"files cannot be taken for {how.taken[:80]!r}", fix=f"One of {', '.join(AS)}.")
    for each in (how.cluster, how.namespace):
        if not each or not each.isprintable() or len(each) > 253:
            raise BadInput(f"not the name of a cluster or namespace: {each[:100]!r}")
    root = open_root(path, how.name)
    options = Options(
        root=root.name, taken=how.taken, cluster=how.cluster, namespace=how.namespace, is_secret=is_secret_file
    )
    collection = Collection(SOURCE, f"{root.name} ({how.cluster})")
    tally = _Tally(on_progress or (lambda _seen, _recorded: None))
    done = collect(session, collection, _look(session, tally, collection, root, options))
    return replace(done, seen=tally.seen, recorded=tally.recorded)


@dataclass(slots=True)
class _Tally:
    """How many things were seen, and how many of them are new on record."""

    on_progress: Progress
    seen: int = 0
    recorded: int = 0

    def add(self, seen: int, recorded: int) -> None:
        """Count some more."""
        self.seen += seen
        self.recorded += recorded
        self.on_progress(self.seen, self.recorded)


def _look(
    session: Session, tally: _Tally, collection: Collection, root: Root, options: Options
) -> Iterator[Observation | Gap]:
    began = session.clock()
    reading = read_files(read_root(root.path), options, began)
    yield from root.gaps
    yield from reading.gaps
    gone = find_gone(session, reading, options, began)
    looks = list_looks(session, reading, options, began, session.clock())
    items = iter([_say_commit(each, root) for each in [*reading.items.values(), *gone] if isinstance(each, ConfigItem)])
    while batch := list(islice(items, _STEP)):
        new = new_items(session, map(_weigh, batch))
        tally.add(len(batch), len(new))
        yield from observe_items(new, session.actor)
    yield from (each for each in gone if isinstance(each, Gap))
    collection.looks += looks
    collection.covered = {"root": root.name, "files": reading.count, "git": root.git, "complete": reading.is_complete}


def _weigh(item: ConfigItem) -> ConfigItem:
    return with_semantic(item) if item.status == "ok" else item


def _say_commit(item: ConfigItem, root: Root) -> ConfigItem:
    return replace(item, extra={**item.extra, "git": root.git}) if root.git else item
