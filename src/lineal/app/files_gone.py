"""What is gone from a root of configuration files, and what a look at one covered."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from lineal.app.session import Session
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.observation import Gap
from lineal.core.path import unspell
from lineal.errors import BadRef
from lineal.sources.config_files import kind_of_file
from lineal.sources.config_files_items import Options, Reading

SOURCE: Final = "files"
_MANIFESTS: Final = frozenset({"yaml", "json"})


def find_gone(session: Session, reading: Reading, options: Options, at: str) -> list[ConfigItem | Gap]:
    """Return deletions, at the moment `at`, of what the root held before and a look that read all of it did not see.

    An object of Kubernetes may have moved to another file: it is gone only if every manifest of the root was read. What
    stands in a file of its own is gone if that file is, or was read and says something else. Of a root in which nothing
    is left at all, nothing is said to be gone: a disk that is not mounted looks like that.
    """
    there = {key: item for key, item in known_items(session, options) if item.time <= at}
    if there and not reading.items and not reading.unread and not reading.doubtful:
        told = f"nothing is there any more, where {len(there)} things were known: none of them is said to be gone"
        return [Gap("files.empty", told, options.root)]
    blurred = any(not path or path.endswith(b"/") or kind_of_file(path) in _MANIFESTS for path in reading.unread)
    found: list[ConfigItem | Gap] = []
    for key, item in there.items():
        if key in reading.items or key in reading.doubtful:
            continue
        if blurred if item.shape == "kubernetes" else _is_unread(item, reading.unread):
            continue
        place: dict[str, Any] = {name: item.extra[name] for name in ("root", "path") if name in item.extra}
        gone = replace(item, time=at, status="deleted", configuration={}, tags={}, relationships=(), extra=place)
        found.append(replace(gone, created=None, modified=None, state=None, semantic=None))
    return found


def known_items(session: Session, options: Options) -> Iterator[tuple[str, ConfigItem]]:
    """Yield what is on record as standing in the root, by key."""
    for account in dict.fromkeys((options.root, options.cluster)):
        for key, item in session.configuration.estate(account=account).items():
            if item.source == SOURCE and item.extra.get("root") == options.root:
                yield key, item


def _is_unread(item: ConfigItem, unread: set[bytes]) -> bool:
    try:
        path = unspell(str(item.extra.get("path", "")))
    except BadRef:
        return True
    return any(path == each or not each or (each.endswith(b"/") and path.startswith(each)) for each in unread)


def list_looks(session: Session, reading: Reading, options: Options, began: str, ended: str) -> list[Look]:
    """Return what one look covered: the root, and the namespaces in which its objects are, or were.

    A namespace counts as covered whole only if no other root has objects in it.
    """
    complete = reading.is_complete and bool(reading.items)
    looks = [_look(options.root, "", began, ended, complete=complete)]
    places = {
        (item.resource.account, item.resource.region) for item in reading.items.values() if item.shape == "kubernetes"
    }
    shared: set[tuple[str, str]] = set()
    for item in session.configuration.estate(account=options.cluster).values():
        if item.source == SOURCE and item.shape == "kubernetes":
            place = (item.resource.account, item.resource.region)
            if item.extra.get("root") == options.root:
                places.add(place)
            else:
                shared.add(place)
    return looks + [
        _look(account, region, began, ended, complete=complete and (account, region) not in shared)
        for account, region in sorted(places)
        if (account, region) != (options.root, "")
    ]


def _look(account: str, region: str, began: str, ended: str, *, complete: bool) -> Look:
    return Look(source=SOURCE, account=account, region=region, type="*", began=began, ended=ended, complete=complete)
