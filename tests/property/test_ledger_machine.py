"""A ledger under everything its callers may do, in any order, held against a model after every step.

What was acknowledged is there, at the same index with the same bytes, and indexes are dense. The root recomputed by its
definition is the stored one and that of each checkpoint. Every checkpoint ever published, kept by an observer outside,
is consistent with the present log, and every proof ever issued still verifies. Nothing is in the log twice.
"""

import os
import shutil
import tempfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kit import Speaker, failures, make_home, open_at
from lineal.core.checkpoint import open_checkpoint
from lineal.core.event import Event
from lineal.core.merkle import Frontier, consistency_proof, leaf_hash, verify_consistency
from lineal.core.tile import hash_at_from_tiles
from lineal.errors import ClaimTaken, EventConflict
from lineal.ledger.erase import erase_bodies
from lineal.ledger.verify import EntryProof, audit_files, audit_log, check_proof, prove_entry

SHARED = Path("/dev/shm")  # in memory: nothing here is asked of a disk
PRODUCERS = st.integers(0, 2)
COUNTS = st.integers(1, 4)


def naive_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962 §2.1, word by word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


class LedgerMachine(RuleBasedStateMachine):
    """Three producers, one of whom sends late and out of order, and everybody more than once."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lineal-", dir=SHARED if os.access(SHARED, os.W_OK) else None))
        self.home = make_home(self.folder / ".lineal")
        self.ledger = open_at(self.home)
        self.speakers = [Speaker(f"p{number}") for number in range(3)]
        self.late: list[Event] = []
        self.places: dict[int, Event] = {}
        self.bytes: list[bytes] = [self.ledger.reader.entry(0).data]
        self.kept: list[bytes] = []
        self.proofs: list[EntryProof] = []
        self.erased: set[int] = set()
        self.claims = 0

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    def _acknowledged(self, events: list[Event]) -> None:
        for event, receipt in zip(events, self.ledger.append(events), strict=True):
            known = {idx for idx, other in self.places.items() if other == event}
            assert known == (set() if receipt.new else {receipt.idx})
            self.places[receipt.idx] = event

    @rule(producer=PRODUCERS, count=COUNTS)
    def append(self, producer: int, count: int) -> None:
        self._acknowledged(self.speakers[producer].many(count))

    @rule(count=COUNTS)
    def hold_back(self, count: int) -> None:
        self.late.extend(self.speakers[0].many(count))

    @precondition(lambda self: self.late)
    @rule(chance=st.randoms(use_true_random=False), count=COUNTS)
    def send_late_and_out_of_order(self, chance: "object", count: int) -> None:
        chance.shuffle(self.late)  # type: ignore[attr-defined]
        self._acknowledged(self.late[:count])
        del self.late[:count]

    @precondition(lambda self: self.places)
    @rule(data=st.data(), count=COUNTS)
    def send_again(self, data: st.DataObject, count: int) -> None:
        again = data.draw(st.lists(st.sampled_from(sorted(self.places)), min_size=1, max_size=count, unique=True))
        fresh = self.speakers[1].many(count % 2)
        self._acknowledged([*(self.places[idx] for idx in again), *fresh])

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def contradict(self, data: st.DataObject) -> None:
        event = self.places[data.draw(st.sampled_from(sorted(self.places)))]
        fresh = Speaker(f"refused-{len(self.bytes)}").many(1)
        with pytest.raises(EventConflict):
            self.ledger.append([*fresh, replace(event, type="test.contradiction/1")])

    @rule(taken=st.booleans())
    def claim(self, taken: bool) -> None:
        if taken and self.claims:
            with pytest.raises(ClaimTaken):
                self.ledger.append([Speaker(f"refused-{len(self.bytes)}").says(claims=["name-0"])])
        else:
            self._acknowledged([self.speakers[2].says(claims=[f"name-{self.claims}"])])
            self.claims += 1

    @precondition(lambda self: self.places.keys() - self.erased)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        idx = data.draw(st.sampled_from(sorted(self.places.keys() - self.erased)))
        if self.places[idx].type == "body.erased/1":
            return
        event = self.speakers[2].says(type="body.erased/1", data={"entries": [idx], "reason": "asked to"})
        self.places[erase_bodies(self.ledger, event).idx] = event
        self.erased.add(idx)

    @rule()
    def publish(self) -> None:
        published = self.ledger.publish()
        assert published is not None
        assert published.size == self.ledger.reader.size()

    @rule()
    def open_again(self) -> None:
        self.ledger.close()
        self.ledger = open_at(self.home)

    @rule()
    def open_again_without_publishing(self) -> None:
        self.ledger.database.close()
        self.ledger = open_at(self.home)

    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        note = self.ledger.files.read_checkpoint()
        assert note is not None
        size = open_checkpoint(note, self.ledger.key).size
        self.proofs.append(prove_entry(self.ledger, data.draw(st.integers(0, size - 1))))

    @invariant()
    def what_was_acknowledged_is_there_once(self) -> None:
        entries = list(self.ledger.reader.entries())
        assert [entry.idx for entry in entries] == list(range(len(entries)))
        assert [entry.data for entry in entries[: len(self.bytes)]] == self.bytes
        self.bytes = [entry.data for entry in entries]
        assert sorted(self.places) == list(range(1, len(entries)))
        for idx, event in self.places.items():
            statement, _, body = entries[idx].checked()
            assert statement == event.statement()
            assert body == (None if idx in self.erased else event.body)
        assert len({(event.producer, event.id) for event in self.places.values()}) == len(self.places)

    @invariant()
    def every_root_is_that_of_the_definition(self) -> None:
        leaves = [leaf_hash(entry.data) for entry in self.ledger.reader.entries()]
        head = self.ledger.reader.head()
        assert head.root == naive_root(leaves)
        assert head.frontier == Frontier().extend(leaves)
        assert audit_log(self.ledger).root == head.root
        for row in self.ledger.reader.signed():
            assert open_checkpoint(row.note, self.ledger.key).root == naive_root(leaves[: row.size])
        note = self.ledger.files.read_checkpoint()
        assert note is not None
        if note not in self.kept:
            self.kept.append(note)
        assert audit_files(self.home.log_folder, self.ledger.key).root == naive_root(
            leaves[: open_checkpoint(note, self.ledger.key).size]
        )

    @invariant()
    def what_outsiders_kept_still_holds(self) -> None:
        kept = [open_checkpoint(note, self.ledger.key) for note in self.kept]
        last = kept[-1]
        hash_at = hash_at_from_tiles(last.size, self.ledger.files.read_hashes)
        for old in kept:
            proof = consistency_proof(old.size, last.size, hash_at)
            verify_consistency(old.size, last.size, old.root, last.root, proof)
        for issued in self.proofs:
            check_proof(issued, self.ledger.key)
            assert prove_entry(self.ledger, issued.idx).leaf == issued.leaf

    @invariant()
    def the_verifier_finds_no_fault(self) -> None:
        assert not failures(self.ledger)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
