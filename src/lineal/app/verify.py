"""Verify: proofs, signatures, bytes; of the whole ledger, or of one thing and all that made it."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lineal.app.log import Proof, published_size, show_proof
from lineal.app.reference_check import lies_elsewhere, look_elsewhere
from lineal.app.session import Session
from lineal.app.stored import missing, verify_stored
from lineal.catalog import project
from lineal.catalog.graph import NOW
from lineal.catalog.reader import Fact
from lineal.core.finding import Finding
from lineal.errors import LinealError
from lineal.ledger.database import Database
from lineal.ledger.keys import VerifyingKey
from lineal.ledger.verify import prove_prefix, verify_ledger

Progress = Callable[[str, int, int], None]


def verify_all(session: Session, on_progress: Progress, *, references: bool = False) -> Iterator[Finding]:
    """Yield what does not hold: every entry, signature, tile, body and stored byte, and the catalog folded anew.

    What lies elsewhere is looked at with `references`; without, a finding says how much was not.
    """
    yield from verify_ledger(session.ledger, lambda done, total: on_progress("entries", done, total))
    for fault in session.objects.verify(lambda files, size: on_progress("objects", files, size)):
        about = str(fault.digest) if fault.digest is not None else fault.path
        yield Finding(code=fault.code, about=about, explanation=fault.explanation)
    try:
        views = session.catalog.all_nodes()
        facts = _by_node(session.catalog.facts(view.id for view in views))
        for view in views:
            for digest in missing(session, view, facts[view.id]):
                yield Finding(code="objects.missing", about=view.ref, explanation=f"{digest} is not in the store")
        elsewhere = [view for view in views if lies_elsewhere(view)]
        for view in elsewhere if references else ():
            yield from look_elsewhere(session, view, facts[view.id])
        if elsewhere and not references:
            explanation = (
                f"the bytes of {len(elsewhere)} versions lie elsewhere and were not looked at: --references does"
            )
            yield Finding(code="references.unseen", about="references", explanation=explanation, failed=False)
        yield from _verify_catalog(session)
    except LinealError as error:
        yield Finding(code=error.code, about="catalog", explanation=f"the catalog cannot follow the ledger: {error}")


def _by_node(facts: Iterable[Fact]) -> dict[int, list[Fact]]:
    found: dict[int, list[Fact]] = defaultdict(list)
    for fact in facts:
        found[fact.node].append(fact)
    return found


def _verify_catalog(session: Session) -> Iterator[Finding]:
    """Fold the ledger once more, aside, and yield a finding if the catalog says anything else."""
    said = project.fingerprint(session.catalog_database)
    with tempfile.TemporaryDirectory(prefix="lineal-verify-") as folder:
        fresh = Database.sqlite(Path(folder) / "catalog.db", create=True, durable=False)
        try:
            project.prepare(fresh)
            project.catch_up(fresh, session.ledger.reader)
            same = project.fingerprint(fresh) == said
        finally:
            fresh.close()
    if not same and not session.catch_up():  # else somebody appended meanwhile: the two are of different moments
        explanation = (
            "the catalog is not what the ledger says: its answers cannot be believed; `lineal rebuild` mends it"
        )
        yield Finding(code="catalog.differs", about="catalog", explanation=explanation)


def verify_against(session: Session, key: VerifyingKey | None, checkpoint: bytes | None) -> Iterator[Finding]:
    """Hold the ledger against what was kept elsewhere: its verifying `key`, an older `checkpoint` of it.

    A log written anew, and signed anew, is sound in itself: only this tells it from the one that was there.
    """
    if key is not None and key != session.ledger.key:
        explanation = f"its key is {session.ledger.key}, not {key}: another log, or one that was written anew"
        yield Finding(code="ledger.key", about="ledger", explanation=explanation)
    if checkpoint is not None:
        try:
            prove_prefix(session.ledger, checkpoint)
        except LinealError as error:
            explanation = f"the log does not go on from it: {error.message}"
            yield Finding(code=error.code, about="the checkpoint that was kept", explanation=explanation)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified of one thing: the things behind it, the proofs of the entries that speak of them, findings."""

    names: tuple[str, ...]
    proofs: tuple[Proof, ...]
    findings: tuple[Finding, ...]


def verify_one(session: Session, text: str) -> Verified:
    """Verify `text` and everything that made it, as the catalog has it.

    Each entry that speaks of them is proved to be in the signed log, each body held against its commitment, each
    stored byte read and hashed. What lies in a bucket is looked at there, without being read; files of which only the
    digests are kept are read where they were; those that DVC has are not looked at, and a finding says so.
    """
    catalog = session.catalog
    root = catalog.resolve(text)
    views = catalog.views(catalog.closure(root.id, NOW, up=True).depths)
    findings: list[Finding] = []
    proofs: list[Proof] = []
    facts = catalog.facts(views, tags=True)
    for idx in sorted({fact.idx for fact in facts}):
        try:
            if not project.holds(session.catalog_database, session.ledger.reader.entry(idx)):
                explanation = "the catalog has other things of it than it says: `lineal rebuild` mends that"
                findings.append(Finding(code="catalog.differs", about=f"entry {idx}", explanation=explanation))
            if idx < published_size(session):
                proofs.append(show_proof(session, idx))
            else:
                explanation = "no checkpoint covers it yet"
                findings.append(
                    Finding(code="log.unsigned", about=f"entry {idx}", explanation=explanation, failed=False)
                )
        except LinealError as error:
            findings.append(Finding(code=error.code, about=f"entry {idx}", explanation=error.message))
    of_node = _by_node(facts)
    for view in sorted(views.values(), key=lambda item: item.ref):
        findings.extend(verify_stored(session, view, of_node[view.id]))
        findings.extend(look_elsewhere(session, view, of_node[view.id]))
    return Verified(tuple(view.ref for view in views.values()), tuple(proofs), tuple(findings))
