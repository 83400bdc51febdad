"""A watcher: its schedule and its plan, what a round does and records, and that nothing stops it but being asked to."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estate_world import World, day, key
from lineal.app.collect import Collected, Collection, collect
from lineal.app.explain import explain
from lineal.app.session import Session
from lineal.app.watch import Means, last_round, watch
from lineal.app.watch_config import read_config
from lineal.app.watch_lock import only_watcher
from lineal.app.watch_plan import OPTIONS, Plan, WatchedSource, read_words
from lineal.app.watch_round import Round, Stopping
from lineal.app.watch_schedule import Schedule
from lineal.app.watch_source import _COLLECTORS
from lineal.core.conclusion import CONCLUDED, Conclusion
from lineal.core.observation import Observation
from lineal.core.timestamp import read_length
from lineal.errors import BadInput, BadProof, Refused, SourceDenied, SourceError, StoreUnavailable, TooLarge
from lineal.wiring import Settings, create, open_session

T0 = "2026-03-01T00:00:00.000000Z"


class Hands:
    """A clock that is moved by hand: waiting takes no time, and every wait is noted."""

    def __init__(self, rounds: int) -> None:
        self.now, self.set_by, self.waits = 1000.0, 0.0, []
        self.left = rounds

    def forward(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + 1.7e9 + self.set_by

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.left -= 1

    def stopped(self) -> bool:
        return self.left <= 0


class Free:
    def check(self) -> None:
        pass


class Watching:
    """A watcher over sources that do what they are told, on a real ledger."""

    def __init__(self, folder: Path, acts: dict[str, Callable[[Session], None]], every: dict[str, int] | None = None):
        self.folder, self.acts = folder, acts
        self.plan = Plan(
            sources=tuple(WatchedSource(kind="files", name=name, every=(every or {}).get(name, 60)) for name in acts),
            notify=("json://told",),
        )
        self.rounds: list[Round] = []
        self.troubles: list[tuple[str, float]] = []
        self.told: list[tuple[str, ...]] = []
        self.warnings: tuple[str, ...] = ()
        self.calls: list[tuple[str, float]] = []
        self.clock = Hands(0)

    @contextmanager
    def opened(self) -> Iterator[Session]:
        with open_session(Settings(ledger=str(self.folder), actor="watcher")) as session:
            yield session

    def collect_one(self, session: Session, source: WatchedSource, move: Callable[[int, int], None]) -> Collected:
        self.calls.append((source.name, self.clock.now))
        self.acts[source.name](session)
        move(1, 0)
        return collect(session, Collection("test", source.name), [])

    def tell(self, _urls: Any, _title: str, lines: Any) -> tuple[str, ...]:
        self.told.append(tuple(lines))
        return self.warnings

    def run(self, rounds: int, *, once: bool = False, held: Any = None) -> int:
        self.clock.left = rounds
        means = Means(
            opened=self.opened,
            collect_one=self.collect_one,
            tell=self.tell,
            chance=random.Random(1).random,
            on_round=lambda done, _pause: self.rounds.append(done),
            on_trouble=lambda error, pause: self.troubles.append((error.code, pause)),
        )
        return watch(self.plan, means, self.clock, held or Free(), once=once)


def nothing(_session: Session) -> None:
    pass


def failing(error: BaseException) -> Callable[[Session], None]:
    def act(_session: Session) -> None:
        raise error

    return act


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create(Settings(ledger=str(tmp_path)), tmp_path, None)
    return tmp_path


def change(name: str = "scorer") -> Callable[[Session], None]:
    """Let an endpoint change while a trail is read that says nothing of it; once."""

    def act(session: Session) -> None:
        world = World(session)
        if not session.configuration.items([key("Endpoint", name)]):
            world.looked(day(1), day(2), day(3))
            world.trail(day(1), day(4))
            world.seen("Endpoint", name, day(2), ("EndpointConfig", "c1"))
            world.seen("Endpoint", name, day(3), ("EndpointConfig", "c2"))

    return act


def known(name: str = "scorer") -> Callable[[Session], None]:
    """Let the event that changed the endpoint be delivered late; once."""

    def act(session: Session) -> None:
        if not session.configuration.events([key("Endpoint", name)]):
            World(session).event(
                "UpdateEndpoint", day(2, 12), key("Endpoint", name),
                record={"requestParameters": {"endpointName": name, "uses": ["c2"]}},
            )  # fmt: skip

    return act


def _say(session: Session, kind: str, data: dict[str, Any]) -> None:
    session.say(Observation(type=kind, time=T0, actor="a", basis="observed", data=data))


# -- the schedule


@given(
    period=st.integers(1, 1000),
    spent=st.lists(st.floats(0.001, 5000), min_size=1, max_size=30),
    begun=st.floats(0, 1e9),
)
def test_ticks_stay_where_they_are_however_long_a_round_takes(period: int, spent: list[float], begun: float) -> None:
    schedule = Schedule({"a": period}, begun, lambda: 0.0)
    now = begun
    for took in spent:
        now = max(now, schedule.next())
        assert schedule.due(now) == ["a"]
        now += took
        schedule.done("a", now)
        after = schedule.next()
        assert now < after <= now + period * (1 + 1e-9)  # the next tick: none is caught up with
        ticks = (after - begun) / period
        assert abs(ticks - round(ticks)) < 1e-6
        assert schedule.due(now) == []


def test_each_source_has_its_own_period() -> None:
    schedule = Schedule({"often": 10, "seldom": 35}, 0.0, lambda: 0.0)
    seen: list[tuple[float, list[str]]] = []
    for _ in range(5):
        now = schedule.next()
        due = schedule.due(now)
        seen.append((now, due))
        for name in due:
            schedule.done(name, now)
    assert seen == [(0, ["often", "seldom"]), (10, ["often"]), (20, ["often"]), (30, ["often"]), (35, ["seldom"])]


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_failures_back_off_up_to_a_bound_and_a_success_forgets_them(chance: float) -> None:
    schedule = Schedule({"a": 900}, 0.0, lambda: chance)
    pauses = [schedule.failed("a", 0.0) for _ in range(80)]
    factor = 0.5 + chance / 2
    assert pauses[:4] == [60 * factor, 120 * factor, 240 * factor, 480 * factor]
    assert pauses[-1] == 3600 * factor
    schedule.done("a", 10.0)
    assert schedule.next() == 900
    assert schedule.failed("a", 900.0) == 900 + 60 * factor
    assert Schedule({"a": 5}, 0.0, lambda: 1.0).failed("a", 0.0) == 5  # never seldomer at first than without a failure
    assert Schedule({"a": 86400}, 0.0, lambda: 1.0).failed("a", 0.0) == 60


# -- rounds


def test_rounds_come_at_their_ticks_and_never_overlap(folder: Path) -> None:
    watching = Watching(folder, {"a": nothing, "b": nothing}, {"a": 60, "b": 150})

    def slow(_session: Session) -> None:
        watching.clock.now += 70 if len(watching.calls) == 1 else 1

    watching.acts["a"] = slow
    assert watching.run(4) == 4
    assert [(name, now - 1000) for name, now in watching.calls] == [
        ("a", 0), ("b", 70), ("a", 120), ("b", 150), ("a", 180)
    ]  # fmt: skip
    assert [each.number for each in watching.rounds] == [1, 2, 3, 4]


def test_a_source_that_fails_is_told_as_what_it_is_and_stops_no_other(folder: Path) -> None:
    acts = {"denied": failing(SourceDenied("no sagemaker:ListModels")), "bug": failing(KeyError("x")), "fine": nothing}
    watching = Watching(folder, acts)
    watching.run(1)
    done = watching.rounds[0]
    assert [each.error and each.error[0] for each in done.sources] == ["source.denied", "bug", None]
    assert not done.holds
    with watching.opened() as session:
        view = session.catalog.resolve(done.run or "")
        assert view.detail["covered"]["sources"] == {"denied": "source.denied", "bug": "bug", "fine": "finished"}
        gaps = session.catalog.gaps([view.idx or 0])
    assert [gap["code"] for gap in gaps] == ["watch.source_failed"] * 2
    assert "no sagemaker:ListModels" in gaps[0]["explanation"]


def test_what_fails_comes_again_sooner_and_what_works_at_its_tick(folder: Path) -> None:
    acts = {"bad": failing(SourceError("away")), "fine": nothing}
    watching = Watching(folder, acts, {"bad": 600, "fine": 600})
    watching.run(3)
    names = [name for name, _ in watching.calls]
    assert names == ["bad", "fine", "bad", "bad"]
    assert 30 <= watching.calls[2][1] - 1000 <= 60
    assert 60 <= watching.calls[3][1] - watching.calls[2][1] <= 120


def test_a_breach_of_the_ledger_ends_the_watch(folder: Path) -> None:
    watching = Watching(folder, {"a": failing(BadProof("forged")), "b": nothing})
    with pytest.raises(BadProof):
        watching.run(3)
    assert [name for name, _ in watching.calls] == ["a"]


def test_a_ledger_that_is_away_is_tried_again_ever_later(folder: Path) -> None:
    watching = Watching(folder, {"a": failing(StoreUnavailable("the server is gone"))})
    watching.run(3)
    assert [code for code, _ in watching.troubles] == ["store.unavailable"] * 3
    pauses = [pause for _, pause in watching.troubles]
    assert 30 <= pauses[0] <= 60 <= pauses[1] <= 120 <= pauses[2] <= 240
    watching.acts["a"] = nothing
    watching.run(1)
    assert watching.rounds[0].holds or not watching.rounds[0].sources[0].error
    watching.acts["a"] = failing(StoreUnavailable("again"))
    with pytest.raises(StoreUnavailable):
        watching.run(1, once=True)


def test_stopping_keeps_what_was_recorded_and_says_nothing_of_the_round(folder: Path) -> None:
    watching = Watching(folder, {"a": change("one"), "b": nothing})

    def stop(session: Session) -> None:
        change("two")(session)
        watching.clock.left = 0

    watching.acts["b"] = stop
    assert watching.run(1) == 0
    assert watching.rounds == []
    with watching.opened() as session:
        assert {held for held, _ in session.configuration.all_items()} == {key("Endpoint", n) for n in ("one", "two")}
        assert session.configuration.judgements() == []
        assert session.catalog.runs_starting(Collection("watch", "rounds").prefix) == []
    assert not issubclass(Stopping, Exception)  # no collector takes it for a failure of its own


def test_the_last_round_tells_a_dead_watcher(folder: Path) -> None:
    watching = Watching(folder, {"a": nothing}, {"a": 60})
    with watching.opened() as session:
        assert last_round(session, T0) is None
    watching.run(1)
    with watching.opened() as session:
        found = last_round(session, session.clock())
        assert found is not None
        assert (found.every, found.late, found.sources) == (60, False, {"a": "finished"})
        dead = last_round(session, "2099-01-01T00:00:00.000000Z")
        assert dead is not None
        assert dead.late


def test_a_clock_that_was_set_is_on_record_and_moves_no_tick(folder: Path) -> None:
    watching = Watching(folder, {"a": nothing}, {"a": 60})

    def jump(_session: Session) -> None:
        watching.clock.set_by -= 86400 if len(watching.calls) == 1 else 0

    watching.acts["a"] = jump
    watching.run(3)
    assert [now - 1000 for _, now in watching.calls] == [0, 60, 120]
    with watching.opened() as session:
        views = [session.catalog.resolve(each.run or "") for each in watching.rounds]
        gaps = [[gap["code"] for gap in session.catalog.gaps([view.idx or 0])] for view in views]
    assert [("watch.clock_set" in each) for each in gaps] == [False, True, False]


# -- what is told


def words(told: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return verdict and resource of each line that says that a change was not explained, or not approved."""
    found = [tuple(line.split(": ")[0].split()) for line in told]
    return [each for each in found if each[0] in ("UNEXPLAINED", "ATTRIBUTED_UNAPPROVED")]


def test_what_is_new_is_told_once(folder: Path) -> None:
    watching = Watching(folder, {"a": change()})
    watching.run(1)
    assert [words(told) for told in watching.told] == [[("UNEXPLAINED", key("Endpoint", "scorer"))]]
    assert watching.told[0] == tuple(news.line for news in watching.rounds[0].news)
    watching.run(2)  # concluded before
    assert len(watching.told) == 1
    watching.acts["a"] = known()
    watching.run(1)
    assert words(watching.told[1]) == [("ATTRIBUTED_UNAPPROVED", key("Endpoint", "scorer"))]
    watching.run(1)
    assert len(watching.told) == 2


def test_what_could_not_be_told_is_told_in_the_next_round(folder: Path) -> None:
    watching = Watching(folder, {"a": change("one")})
    watching.warnings = ("notification 1 (json://) was not told: it is away",)
    watching.run(1)
    assert not watching.rounds[0].told
    assert watching.rounds[0].failed["notify"] == ("source", watching.warnings[0])
    watching.acts["a"], watching.warnings = change("two"), ()
    watching.run(1)
    assert [resource for _, resource in words(watching.told[1])] == [key("Endpoint", "one"), key("Endpoint", "two")]
    watching.acts["a"] = nothing
    watching.run(1)
    assert len(watching.told) == 2


def test_what_a_watcher_left_untold_another_tells(folder: Path) -> None:
    first = Watching(folder, {"a": nothing})
    first.run(1)
    with first.opened() as session:  # killed between concluding and telling
        change()(session)
        assert explain(session).recorded
    second = Watching(folder, {"a": nothing})
    second.run(1)
    assert [words(told) for told in second.told] == [[("UNEXPLAINED", key("Endpoint", "scorer"))]]


def test_rules_that_are_newly_broken_are_told(folder: Path) -> None:
    def conclude(state: str) -> Callable[[Session], None]:
        said = Conclusion(rule="q", resource="r", type="t", state=state, severity="high", explanation="open")
        return lambda session: _say(session, CONCLUDED, {"conclusions": [said.describe()]})

    watching = Watching(folder, {"a": conclude("COMPLIANT")})
    watching.run(1)
    assert watching.told == []
    watching.acts["a"] = conclude("NON_COMPLIANT")
    watching.run(1)
    assert watching.told == [("NON_COMPLIANT q r: open",)]
    watching.run(1)
    assert len(watching.told) == 1


# -- one watcher


def test_a_second_watcher_is_refused_and_told_who_watches(folder: Path) -> None:
    settings = Settings(ledger=str(folder), actor="ana@bank.example")
    with open_session(settings) as session, only_watcher(session) as held:
        held.check()
        with (
            open_session(settings) as other,
            pytest.raises(Refused, match=r"ana@bank\.example, process \d+ on \S+, since 20"),
            only_watcher(other),
        ):
            pass
    with open_session(settings) as session, only_watcher(session):
        pass


def test_the_lock_goes_with_its_holder_however_it_ends(folder: Path) -> None:
    script = (
        "import sys, time\n"
        "from lineal.app.watch_lock import only_watcher\n"
        "from lineal.wiring import Settings, open_session\n"
        "with open_session(Settings(ledger=sys.argv[1])) as session, only_watcher(session):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    with open_session(Settings(ledger=str(folder))) as session:
        with pytest.raises(Refused), only_watcher(session):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        with only_watcher(session):
            pass


def test_a_lock_file_that_holds_anything_is_no_matter(folder: Path) -> None:
    with open_session(Settings(ledger=str(folder))) as session:
        file = session.ledger.home.root / "watch.lock"
        for content in (b"", b"\xff{]", b'{"actor": 7}', b"[" * 5000):
            file.write_bytes(content)
            with only_watcher(session):
                pass


# -- the plan


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("90s", 90), ("1h30m", 5400), ("1d", 86400), (" 2h ", 7200), ("1m1s", 61)]
)
def test_spans(text: str, seconds: int) -> None:
    assert read_length(text, "it") == seconds


@pytest.mark.parametrize(
    "text", ["", "15", "m", "15x", "-5m", "0s", "8d", "1m1h", "1.5h", "٣m", None, 15, "9" * 400 + "s"]
)
def test_what_is_no_span_is_refused(text: object) -> None:
    with pytest.raises(BadInput):
        read_length(text, "it")


def test_words_name_sources() -> None:
    found = read_words(("aws:eu-west-1", "files:conf/", "cloudtrail:s3://trail/x", "sagemaker", "cloudtrail"), 60)
    assert [(each.kind, each.options) for each in found] == [
        ("aws", {"regions": ["eu-west-1"]}),
        ("files", {"paths": ["conf/"]}),
        ("cloudtrail", {"place": "s3://trail/x"}),
        ("sagemaker", {}),
        ("cloudtrail", {"lookup": True}),
    ]
    assert set(_COLLECTORS) == set(OPTIONS)


@pytest.mark.parametrize("words", [("azure",), ("files",), ("files:",), ("aws:",), ("aws", "aws"), ("",)])
def test_words_that_name_no_source_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        read_words(words, 60)


def test_a_file_tells_it_all(tmp_path: Path) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text(
        "every: 10m\nsettle: 20m\nrules: [lineal]\nnotify: json://ops.example\nsources:\n"
        "  - source: aws\n    regions: [eu-west-1, us-east-1]\n    profiles: prod\n"
        "  - source: cloudtrail\n    place: s3://trail/AWSLogs/\n    every: 5m\n"
        "  - source: cloudtrail\n    lookup: true\n"
        "  - source: files\n    name: charts\n    paths: [deploy, conf]\n"
    )
    plan = read_config(file)
    assert [(each.name, each.every) for each in plan.sources] == [
        ("aws", 600), ("cloudtrail-1", 300), ("cloudtrail-2", 600), ("charts", 600)
    ]  # fmt: skip
    assert plan.sources[0].options == {"regions": ["eu-west-1", "us-east-1"], "profiles": ["prod"]}
    assert (plan.settle, plan.rules, plan.notify) == (1200, ("lineal",), ("json://ops.example",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a list of settings"),
        ("[]", "not a list of settings"),
        ("sources: []", "names no sources"),
        ("every: 5m", "names no sources"),
        ("sources: aws", "names no sources"),
        ("sources: [aws]", "source 1 does not say which source"),
        ("sources: [{source: azure}]", "no such source: 'azure'"),
        ("sources: [{source: aws, region: [eu-west-1]}]", "no such setting: 'region'"),
        ("sources: [{source: aws, regions: []}]", "regions is empty"),
        ("sources: [{source: aws, regions: [1]}]", "regions is not a list of texts"),
        ("sources: [{source: files}]", "lacks paths"),
        ("sources: [{source: files, paths: conf, every: 5}]", "every is not a span"),
        ("sources: [{source: cloudtrail}]", "needs one of place and lookup"),
        ("sources: [{source: cloudtrail, lookup: 'yes'}]", "lookup is not true or false"),
        ("sources: [{source: git, repository: [x]}]", "repository is not text"),
        ("every: 5m\nevery: 6m\nsources: [{source: sagemaker}]", ":2: the key 'every' stands twice"),
        ("sources: [{source: files, paths: a, paths: b}]", "the key 'paths' stands twice"),
        ("sourcse: [{source: sagemaker}]", "no such setting: 'sourcse'"),
        ("sources: [{source: aws, name: a}, {source: git, name: a, repository: x}]", "named twice"),
        ('sources: [{source: sagemaker, name: "a\\nb"}]', "not a name"),
        ("notify: [{url: x}]\nsources: [{source: sagemaker}]", "notify is not a list of texts"),
        ("sources: [{source: sagemaker}", "watch.yaml:1: no YAML"),
        ("a: !!python/object/apply:os.system [id]", "no such setting: 'a'"),
        ("? [a]\n: b\n", "a key must be text"),
        ("[" * 2000, "nested too deep"),
    ],
    ids=lambda value: value[:30],
)
def test_what_a_file_cannot_say_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_config(file)
    assert says in refused.value.message
    assert str(file) in refused.value.message or "named twice" in says


def test_addresses_are_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text("notify: [[json://user:hunter2@host]]\nsources: [{source: sagemaker}]")
    with pytest.raises(BadInput) as refused:
        read_config(file)
    assert "hunter2" not in refused.value.message


def test_a_file_that_is_missing_or_huge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        read_config(tmp_path / "nothing.yaml")
    with pytest.raises(BadInput, match="cannot read"):
        read_config(tmp_path)
    (tmp_path / "big.yaml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(TooLarge):
        read_config(tmp_path / "big.yaml")
