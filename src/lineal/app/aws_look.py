"""One look at one account and region: what differs from the record goes on record, what is gone, and what was seen."""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from lineal.app.aws_scopes import AwsScope
from lineal.app.collect import Collection, last_covered
from lineal.app.config_record import missing, new_items, observe_items
from lineal.app.session import Session
from lineal.change.semantic import with_semantic
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.observation import Gap, Observation
from lineal.core.resource import read_arn
from lineal.errors import SourceError
from lineal.sources.aws_config_items import ENDING, Looked, read_all, still_there
from lineal.sources.items_reading import SHAPE, SOURCE, Asker, Kind, Lack, Present, Wishes

ROLE: Final = "AWS::IAM::Role"
_STEP: Final = 200
_OVERLAP: Final = timedelta(minutes=5)

Seen = Iterator[Observation | Gap]
Count = Callable[[int, int], None]


class AwsLook:
    """One look at one scope; those `everywhere` belong to the account, and to no region."""

    def __init__(self, session: Session, scope: AwsScope, kinds: Sequence[Kind], wishes: Wishes, count: Count) -> None:
        self.scope = scope
        self.roles: set[str] = set()
        self.lost: SourceError | None = None
        self.collection = Collection(SOURCE, scope.name)
        self._session, self._kinds, self._wishes, self._count = session, kinds, wishes, count
        self._before: dict[str, Any] = {}
        self._held: dict[str, set[str]] = {}
        self._waiting: list[ConfigItem] = []
        self._seen = self._new = 0
        self._asker: Asker | None = None

    def stop(self) -> None:
        """Let the reading end soon; what was read is kept."""
        if self._asker is not None:
            self._asker.stopped.set()

    def everything(self) -> Seen:
        """Yield what is new in the scope, and say which types were seen whole."""
        began = self._session.clock()
        self._before = dict(last_covered(self._session, SOURCE, self.scope.name).get("types", {}))
        done: dict[str, Looked] = {}
        try:
            yield from self._read(done)
        except SourceError as error:
            self.lost = error
            yield Gap("aws.scope_lost", f"{self.scope.name}: {error.message}")
        yield from self._record()
        ended = self._session.clock()
        for name in (each for kind in self._kinds for each in kind.types):
            self._cover(done.get(name, Looked(name, began, ended, complete=False)))
        self.collection.covered |= {"types": self._before, "resources": self._seen, "new": self._new}

    def _read(self, done: dict[str, Looked]) -> Seen:
        scope = self.scope
        if scope.error is not None or scope.access is None or scope.account is None:
            raise scope.error or SourceError("nobody may ask there")
        asker = self._asker = Asker(scope.access, scope.account, self._session.clock, self._wish())
        try:
            for item in read_all(asker, self._kinds):
                if isinstance(item, ConfigItem):
                    self._take(item)
                elif isinstance(item, Present):
                    self._see(item.resource.type, item.resource.key)
                elif isinstance(item, Lack):
                    yield item.gap
                else:
                    done[item.type] = yield from self._delete(asker, item)
                if len(self._waiting) >= _STEP:
                    yield from self._record()
        finally:
            asker.close()

    def _wish(self) -> Wishes:
        """Return what is wished, with what is known and from when on to list what ends: a bit before the last look."""
        estates: dict[str, dict[str, ConfigItem]] = {}
        lock = threading.Lock()

        def known(key: str) -> ConfigItem | None:
            of = read_arn(key)
            if of is None:
                return None
            with lock:
                if of.type not in estates:  # all of a type at once: asking for each is slower than AWS is
                    configuration = self._session.configuration
                    estates[of.type] = configuration.estate(kind=of.type, account=of.account, region=of.region)
            item = estates[of.type].get(key)
            return item if item is not None and (item.source, item.shape) == (SOURCE, SHAPE) else None

        since: Mapping[str, datetime] = {
            name: datetime.fromisoformat(told["until"]) - _OVERLAP
            for name, told in self._before.items()
            if name in ENDING and told.get("until")
        }
        return replace(self._wishes, since=since, known=known)

    def _take(self, item: ConfigItem) -> None:
        self._see(item.resource.type, item.resource.key)
        self._waiting.append(with_semantic(item))
        self.roles.update(each.key for each in item.relationships if each.type == ROLE)

    def _see(self, kind: str, key: str) -> None:
        held = self._held.setdefault(kind, set())
        if key not in held:
            held.add(key)
            self._seen += 1
            self._count(1, 0)

    def _record(self) -> Seen:
        yield from self._say(new_items(self._session, self._waiting))
        self._waiting = []

    def _say(self, items: list[ConfigItem]) -> Seen:
        yield from observe_items(items, self._session.actor)
        self._new += len(items)
        self._count(0, len(items))

    def _delete(self, asker: Asker, looked: Looked) -> Generator[Observation | Gap, None, Looked]:
        """Yield that resources of a type are gone: a complete look did not see them, and the service itself says so.

        Returns what then holds of the look.
        """
        if not looked.complete or looked.type in ENDING or self.scope.account is None:
            return looked
        gone = missing(
            self._session,
            self._held.get(looked.type, ()),
            source=SOURCE,
            kind=looked.type,
            account=self.scope.account,
            region=self._region(looked.type),
            at=looked.ended,
        )
        lacking = False
        for item in still_there(asker, [each.resource for each in gone]):
            if isinstance(item, Present):
                self._see(item.resource.type, item.resource.key)
            else:
                lacking = True
                yield item.gap
        if lacking:
            return replace(looked, complete=False)
        held = self._held.get(looked.type, set())
        yield from self._say([each for each in gone if each.resource.key not in held])
        return looked

    def _region(self, kind: str) -> str:
        return "" if any(each.everywhere for each in self._kinds if kind in each.types) else self.scope.region

    def _cover(self, looked: Looked) -> None:
        if looked.complete:
            self._before[looked.type] = {"until": looked.began, "complete": True}
        else:
            self._before[looked.type] = {**self._before.get(looked.type, {"until": None}), "complete": False}
        if self.scope.account is not None:
            self.collection.looks.append(
                Look(
                    source=SOURCE,
                    account=self.scope.account,
                    region=self._region(looked.type),
                    type=looked.type,
                    began=looked.began,
                    ended=looked.ended,
                    complete=looked.complete,
                )
            )
