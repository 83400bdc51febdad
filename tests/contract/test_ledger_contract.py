"""What a ledger promises, on every database: order, durability of what was said, one entry for one event."""

import secrets
import threading
from dataclasses import replace

import pytest
from places import Place
from sqlalchemy.exc import DBAPIError

from kit import LOG, Speaker, failures, now
from lineal.core import canonical
from lineal.core.checkpoint import open_checkpoint, sign_checkpoint
from lineal.core.event import MAX_BODY, Event
from lineal.core.merkle import leaf_hash, root_of
from lineal.errors import (
    AlreadyExists,
    BadInput,
    ClaimTaken,
    EventConflict,
    InconsistentStore,
    IntegrityError,
    NewerFormat,
    ReadOnlyStore,
    Refused,
    StoreFull,
    StoreUnavailable,
    TooLarge,
    UnknownRef,
    UsageError,
)
from lineal.ledger import tables
from lineal.ledger.commit import Receipt, commit_batch, prepare
from lineal.ledger.erase import erase_bodies
from lineal.ledger.log import Ledger
from lineal.ledger.log_files import LogFiles
from lineal.ledger.publish import Publisher, check_start
from lineal.ledger.reader import read_head
from lineal.ledger.verify import audit_files, audit_log, check_proof, prove_entry, verify_ledger


def _leaves(ledger: Ledger) -> list[bytes]:
    return [leaf_hash(entry.data) for entry in ledger.reader.entries()]


def test_what_was_said_is_read_back_in_order_bit_for_bit(place: Place) -> None:
    speaker = Speaker()
    events = speaker.many(5)
    with place.create() as ledger:
        assert ledger.append(events) == [Receipt(idx, True) for idx in range(1, 6)]
    with place.open() as ledger:
        entries = list(ledger.reader.entries(1))
        assert [entry.idx for entry in entries] == [1, 2, 3, 4, 5]
        for event, entry in zip(events, entries, strict=True):
            statement, taken, body = entry.checked()
            assert statement == event.statement()
            assert body == event.body
            assert entry.salt == event.salt
            assert taken >= event.said
        assert ledger.reader.head().root == root_of(_leaves(ledger))


def test_an_event_sent_again_gives_its_first_receipt(ledger: Ledger) -> None:
    events = Speaker().many(4)
    ledger.append(events[1:3])
    assert ledger.append(events) == [Receipt(3, True), Receipt(1, False), Receipt(2, False), Receipt(4, True)]
    assert ledger.append(list(reversed(events))) == [Receipt(idx, False) for idx in (4, 2, 1, 3)]
    assert ledger.append([events[0], events[0]]) == [Receipt(3, False)] * 2
    twice = Speaker("q").says()
    assert ledger.append([twice, twice]) == [Receipt(5, True), Receipt(5, False)]
    assert ledger.reader.size() == 6
    assert not failures(ledger)


def test_no_events_are_no_entries(ledger: Ledger) -> None:
    assert ledger.append([]) == []
    assert ledger.reader.size() == 1


@pytest.mark.parametrize(
    "change", [{"type": "test.other/1"}, {"salt": bytes(32)}, {"said": "2001-01-01T00:00:00.000000Z"}]
)
def test_another_event_of_the_same_name_is_refused(ledger: Ledger, change: dict[str, object]) -> None:
    event = Speaker().says()
    ledger.append([event])
    with pytest.raises(EventConflict):
        ledger.append([replace(event, **change)])
    with pytest.raises(EventConflict):
        ledger.append([replace(event, id="other")])  # the same number
    assert ledger.reader.size() == 2
    assert ledger.append([Speaker("q").says()]) == [Receipt(2, True)]


def test_a_group_is_recorded_whole_or_not_at_all(ledger: Ledger) -> None:
    first = Speaker("a").says(claims=["model:m@1"])
    ledger.append([first])
    speaker = Speaker("b")
    group = [speaker.says(claims=["model:m@2"]), speaker.says(claims=["model:m@1"])]
    with pytest.raises(ClaimTaken, match="model:m@1"):
        ledger.append(group)
    assert ledger.reader.size() == 2
    assert ledger.append([Speaker("c").says(claims=["model:m@2"])]) == [Receipt(2, True)]
    within = Speaker("d")
    with pytest.raises(ClaimTaken):
        ledger.append([within.says(claims=["x"]), within.says(claims=["x"])])
    assert not failures(ledger)


def test_a_refused_group_harms_no_other_of_its_batch(ledger: Ledger) -> None:
    said = Speaker("a").says()
    ledger.append([said])
    groups = [
        [prepare(event, LOG) for event in events]
        for events in (
            Speaker("b").many(2),
            [replace(said, type="test.other/1"), *Speaker("c").many(2)],
            [Speaker("d").says(claims=["one"])],
            [Speaker("e").says(claims=["one"])],
            [said],
        )
    ]
    outcomes = commit_batch(ledger.database, groups, now)
    assert outcomes[0] == [Receipt(2, True), Receipt(3, True)]
    assert isinstance(outcomes[1], EventConflict)
    assert outcomes[2] == [Receipt(4, True)]
    assert isinstance(outcomes[3], ClaimTaken)
    assert outcomes[4] == [Receipt(1, False)]
    assert not failures(ledger)


def test_a_clock_that_goes_back_does_not_turn_the_order_of_the_log(place: Place) -> None:
    moments = iter([f"2026-11-2{day}T00:00:00.000000Z" for day in (3, 3, 3, 5, 1, 2, 6, 4, 4, 4)])
    with place.create(lambda: next(moments)) as ledger:
        for event in Speaker().many(4):
            ledger.append([event])
        taken = [entry.statement()[1] for entry in ledger.reader.entries()]
        assert taken == sorted(taken)
        assert len(set(taken)) < len(taken)
        assert not failures(ledger)


def test_published_is_signed_and_readable_as_files(ledger: Ledger) -> None:
    sizes = []
    speaker = Speaker()
    for count in (1, 254, 1, 300):
        ledger.append(speaker.many(count))
        published = ledger.publish()
        assert published is not None
        sizes.append(published.size)
        assert published.root == root_of(_leaves(ledger))
        assert ledger.publish() == published
        assert audit_files(ledger.home.log_folder, ledger.key).root == published.root
    assert [row.size for row in ledger.reader.signed()] == [1, *sizes]
    assert audit_log(ledger).signed == sizes[-1] == 557
    assert not list(verify_ledger(ledger))


def test_every_signed_entry_has_a_proof(ledger: Ledger) -> None:
    ledger.append(Speaker().many(300))
    ledger.publish()
    ledger.append([Speaker("q").says()])
    for idx in (0, 1, 255, 256, 300):
        proof = prove_entry(ledger, idx)
        assert check_proof(proof, ledger.key).size == 301
        with pytest.raises(IntegrityError):
            check_proof(replace(proof, data=proof.data + b" "), ledger.key)
        with pytest.raises(IntegrityError):
            check_proof(replace(proof, idx=idx ^ 1), ledger.key)
    with pytest.raises(UnknownRef):
        prove_entry(ledger, 301)
    with pytest.raises(UnknownRef):
        prove_entry(ledger, -1)


def test_who_only_reads_is_not_told_that_the_tail_of_another_cannot_be_published(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process died between its commit and its checkpoint, and now the disk is full."""
    dead = place.create()
    dead.append(Speaker().many(3))
    dead.database.close()

    def refuse(*_: object) -> None:
        raise StoreFull("no space left", fix="Make room.")

    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "publish", refuse)
        with place.open() as reading:
            assert len(list(reading.reader.entries())) == 4
        writing = place.open()
        writing.append([Speaker("q").says()])
        with pytest.raises(StoreFull):
            writing.close()
    place.open().close()
    with place.open() as ledger:
        assert audit_log(ledger).signed == 5


def test_entries_after_the_last_checkpoint_are_told_and_no_failure(ledger: Ledger) -> None:
    ledger.append(Speaker().many(3))
    found = list(verify_ledger(ledger))
    assert [(item.code, item.failed) for item in found] == [("log.unsigned", False)]
    assert (audit_log(ledger).signed, audit_log(ledger).entries) == (1, 4)


def test_what_a_producer_did_not_send_is_told_and_a_broken_chain_fails(ledger: Ledger) -> None:
    speaker = Speaker("holes")
    events = speaker.many(6)
    ledger.append([events[5], events[0], events[2]])
    ledger.publish()
    found = list(verify_ledger(ledger))
    assert [(item.code, item.failed) for item in found] == [("producer.gap", False)] * 2
    ledger.append(events)
    ledger.append([replace(Speaker("bad").says(), prev="0" * 64)])
    assert [item.code for item in failures(ledger)] == ["producer.chain"]
    ledger.append([replace(speaker.says(), prev=None)])
    assert [item.code for item in failures(ledger)] == ["producer.chain"] * 2


def test_opening_refuses_a_database_behind_its_checkpoint(place: Place) -> None:
    with place.create() as ledger:
        ledger.append(Speaker().many(3))
        ledger.publish()
        rows = ledger.reader.signed()
        with ledger.database.writing() as connection:
            connection.execute(tables.checkpoint.delete().where(tables.checkpoint.c.size == 4))
    with pytest.raises(InconsistentStore, match="older state"):
        place.open()
    database = place.connect()
    with database.writing() as connection:
        connection.execute(
            tables.checkpoint.insert().values(size=4, note=rows[1].note.decode(), frontier=rows[1].frontier)
        )
        connection.execute(tables.entry.delete().where(tables.entry.c.idx == 3))
        connection.execute(tables.head.update().values(size=1, root=root_of([]), frontier=rows[0].frontier))
    database.close()
    with pytest.raises(InconsistentStore):
        place.open()


def test_opening_refuses_the_checkpoint_of_another(place: Place) -> None:
    from lineal.ledger.keys import SigningKey

    with place.create() as ledger:
        file = ledger.home.log_folder / "checkpoint"
        own = file.read_bytes()
        checkpoint = open_checkpoint(own, ledger.key)
    file.write_bytes(sign_checkpoint(checkpoint, SigningKey.generate(LOG)))
    with pytest.raises(IntegrityError) as refused:
        place.open()
    assert refused.value.exit_status == 10
    file.write_bytes(own)
    place.open().close()


def test_opening_refuses_a_newer_format_and_another_ledger(place: Place) -> None:
    place.create().close()
    properties = tables.ledger
    for name, value, error in (("vkey", "other", InconsistentStore), ("format", "2", NewerFormat)):
        database = place.connect()
        with database.writing() as connection:
            connection.execute(properties.update().where(properties.c.name == name).values(value=value))
        database.close()
        with pytest.raises(error):
            place.open()


def test_a_ledger_is_made_once(place: Place) -> None:
    place.create().close()
    with pytest.raises(AlreadyExists):
        place.create()
    with place.open() as ledger:
        assert ledger.reader.size() == 1


def test_reading_only_refuses_to_write(place: Place) -> None:
    place.create().close()
    with place.open(read_only=True) as ledger:
        assert ledger.reader.size() == 1
        assert not failures(ledger)
        with pytest.raises(ReadOnlyStore):
            ledger.append([Speaker().says()])
        with pytest.raises(ReadOnlyStore):
            ledger.publish()
    place.home.private_key_file.unlink()
    with place.open() as ledger, pytest.raises(ReadOnlyStore):
        ledger.append([Speaker().says()])


def test_a_reading_connection_cannot_write(place: Place) -> None:
    place.create().close()
    database = place.connect(read_only=True)
    with database.reading() as connection, pytest.raises(DBAPIError):
        connection.execute(tables.claim.insert().values(name="x", idx=0))
    database.close()


def test_a_wrong_log_or_a_value_that_could_not_be_read_back_is_refused(ledger: Ledger) -> None:
    good = Speaker().says()
    bad: list[Event] = [
        replace(good, log="another"),
        replace(good, type="no type"),
        replace(good, time="yesterday"),
        replace(good, basis="guessed"),
        replace(good, seq=-1),
        replace(good, claims=("a", "a")),
        replace(good, id="a\x00b"),
        replace(good, producer="\ud800"),
        replace(good, salt=b"short"),
        replace(good, prev="x"),
    ]
    for event in bad:
        with pytest.raises(UsageError):
            ledger.append([event])
    assert ledger.append([good]) == [Receipt(1, True)]
    assert not failures(ledger)


def test_what_is_too_large_is_refused(ledger: Ledger) -> None:
    good = Speaker().says()
    for event in (
        replace(good, body=bytes(MAX_BODY + 1)),
        replace(good, subject=("x" * 33_000,)),
    ):
        with pytest.raises(TooLarge):
            ledger.append([event])
    limit = replace(good, body=canonical.encode("x" * (MAX_BODY - 2)))
    assert ledger.append([limit])[0].new
    assert ledger.reader.entry(1).checked()[2] == limit.body


def test_many_threads_and_handles_lose_and_double_nothing(place: Place) -> None:
    place.create().close()
    handles = [place.open() for _ in range(3)]
    receipts: dict[str, list[int]] = {}
    errors: list[BaseException] = []

    def speak(number: int) -> None:
        try:
            speaker = Speaker(f"thread-{number}")
            for turn in range(12):
                events = speaker.many(1 + turn % 3)
                found = handles[number % len(handles)].append(events)
                again = handles[(number + 1) % len(handles)].append(events)
                assert [item.idx for item in found] == [item.idx for item in again]
                receipts.setdefault(speaker.producer, []).extend(item.idx for item in found)
                if turn == 7:
                    handles[0].publish()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    every = [idx for places in receipts.values() for idx in places]
    assert sorted(every) == list(range(1, 1 + 8 * 24))
    assert all(places == sorted(places) for places in receipts.values())
    assert not failures(handles[1])
    for handle in handles:
        handle.close()
    with place.open() as ledger:
        assert not list(verify_ledger(ledger))


def test_verifying_beside_writers_and_publishers_finds_nothing(ledger: Ledger, place: Place) -> None:
    speaker = Speaker()
    ledger.append(speaker.many(250))
    stop = threading.Event()

    def write() -> None:
        with place.open() as other:
            while not stop.is_set():
                other.append(speaker.many(7))
                other.publish()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(6):
            assert not failures(ledger)
            audit_log(ledger)
    finally:
        stop.set()
        writer.join()


def test_opening_beside_a_publisher_is_no_rollback(ledger: Ledger, place: Place) -> None:
    class Busy(LogFiles):
        """Files that are published anew whenever the checkpoint has just been read, or is about to be."""

        def read_checkpoint(self) -> bytes | None:
            speaker = Speaker(f"busy-{ledger.reader.size()}")
            ledger.append([speaker.says()])
            ledger.publish()
            found = super().read_checkpoint()
            ledger.append([speaker.says()])
            ledger.publish()
            return found

    database = place.connect()
    assert check_start(database, Busy(ledger.home.log_folder), ledger.key) == 0
    with database.reading() as connection:
        assert read_head(connection).size == 3
    database.close()


def test_erased_bodies_are_gone_and_every_proof_holds(ledger: Ledger) -> None:
    speaker = Speaker()
    events = [speaker.says(data={"person": secrets.token_hex(8)}) for _ in range(5)]
    ledger.append(events)
    ledger.publish()
    before = [prove_entry(ledger, idx) for idx in range(6)]
    erasure = speaker.says(type="body.erased/1", data={"entries": [2, 4], "reason": "asked to"})
    receipt = erase_bodies(ledger, erasure)
    assert receipt == Receipt(6, True)
    assert erase_bodies(ledger, erasure) == Receipt(6, False)
    assert [entry.idx for entry in ledger.reader.entries() if entry.body is None] == [2, 4]
    assert ledger.reader.entry(2).checked()[2] is None
    for proof in before:
        check_proof(proof, ledger.key)
        check_proof(prove_entry(ledger, proof.idx), ledger.key)
    ledger.publish()
    found = list(verify_ledger(ledger))
    assert [(item.code, item.about, item.failed) for item in found] == [
        ("body.erased", "entry 2", False),
        ("body.erased", "entry 4", False),
    ]


def test_what_must_stay_readable_is_not_erased(ledger: Ledger) -> None:
    speaker = Speaker()
    ledger.append([speaker.says()])
    erasure = speaker.says(type="body.erased/1", data={"entries": [1], "reason": "asked to"})
    erase_bodies(ledger, erasure)
    for data, error in (
        ({"entries": [0], "reason": "r"}, Refused),
        ({"entries": [2], "reason": "r"}, Refused),
        ({"entries": [99], "reason": "r"}, UnknownRef),
        ({"entries": [], "reason": "r"}, BadInput),
        ({"entries": [1]}, BadInput),
        ({"entries": "1", "reason": "r"}, BadInput),
    ):
        with pytest.raises(error):
            erase_bodies(ledger, Speaker("q").says(type="body.erased/1", data=data))
    with pytest.raises(BadInput):
        erase_bodies(ledger, Speaker("q").says(data={"entries": [1], "reason": "r"}))
    with pytest.raises(BadInput):
        erase_bodies(ledger, replace(Speaker("q").says(type="body.erased/1"), body=b"no document"))
    assert ledger.reader.size() == 3
    assert not failures(ledger)


def test_a_body_that_is_gone_without_an_erasure_fails(ledger: Ledger) -> None:
    speaker = Speaker()
    ledger.append(speaker.many(2))
    erasure = speaker.says(type="body.erased/1", data={"entries": [1], "reason": "asked to"})
    ledger.append([erasure])
    assert [item.code for item in failures(ledger)] == ["body.kept"]  # the process died before it erased
    erase_bodies(ledger, speaker.says(type="body.erased/1", data={"entries": [1], "reason": "again"}))
    assert not failures(ledger)
    with ledger.database.writing() as connection:
        connection.execute(tables.body.delete().where(tables.body.c.idx == 2))
    assert [item.code for item in failures(ledger)] == ["body.missing"]


def test_a_database_that_is_gone_is_told_so(place: Place) -> None:
    with place.create() as ledger:
        ledger.append([Speaker().says()])
    if place.server is None:
        place.home.ledger_file.unlink()
    else:
        place.server.run(f"DROP DATABASE {place.name} WITH (FORCE)")
        place.server.run(f"CREATE DATABASE other_{place.name}")
    with pytest.raises(StoreUnavailable):
        place.open()
    if place.server is not None:
        place.server.run(f"ALTER DATABASE other_{place.name} RENAME TO {place.name}")


@pytest.mark.parametrize("alike", ["seq", "claims"])
def test_of_two_groups_in_one_commit_that_contradict_each_other_the_second_is_refused(
    ledger: Ledger, alike: str
) -> None:
    one = Speaker("p").says(name="one", claims=["n"] if alike == "claims" else [])
    two = Speaker("p" if alike == "seq" else "q").says(name="two", claims=["n"] if alike == "claims" else [])
    groups = [[prepare(event, LOG)] for event in (one, two, Speaker("r").says())]
    first, second, third = commit_batch(ledger.database, groups, now)
    assert (first, third) == ([Receipt(1, True)], [Receipt(2, True)])
    assert isinstance(second, EventConflict if alike == "seq" else ClaimTaken)
    assert not failures(ledger)
