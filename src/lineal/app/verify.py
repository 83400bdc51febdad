"""Verify: proofs, signatures, bytes; of the whole ledger, or of one thing and all that made it."""

from collections.abc import Callable, Iterator

from lineal.app.session import Session
from lineal.app.stored import missing, verify_stored
from lineal.catalog.graph import NOW
from lineal.core.checkpoint import open_checkpoint
from lineal.core.finding import Finding
from lineal.errors import LinealError
from lineal.ledger.verify import check_proof, prove_entry, verify_ledger

Progress = Callable[[str, int, int], None]


def verify_all(session: Session, on_progress: Progress) -> Iterator[Finding]:
    """Yield what does not hold in the whole ledger: every entry, proof, signature, tile, body and stored byte."""
    yield from verify_ledger(session.ledger, lambda done, total: on_progress("entries", done, total))
    for fault in session.objects.verify(lambda files, size: on_progress("objects", files, size)):
        about = str(fault.digest) if fault.digest is not None else fault.path
        yield Finding(code=fault.code, about=about, explanation=fault.explanation)
    try:
        nodes = session.catalog.all_nodes()
    except LinealError as error:
        yield Finding(code=error.code, about="catalog", explanation=f"the catalog cannot follow the ledger: {error}")
        return
    for view in nodes:
        for digest in missing(session, view):
            yield Finding(code="objects.missing", about=view.ref, explanation=f"{digest} is not in the store")


def verify_one(session: Session, text: str) -> tuple[list[str], list[Finding]]:
    """Return what was verified of `text` and of everything that made it, and what does not hold.

    Each entry that speaks of them is proved to be in the signed log, each body held against its commitment, each
    stored byte read and hashed.
    """
    catalog = session.catalog
    root = catalog.resolve(text)
    views = catalog.views(catalog.closure(root.id, NOW, up=True).depths)
    facts = catalog.facts(views)
    findings: list[Finding] = []
    for idx in sorted({fact.idx for fact in facts}):
        findings.extend(_verify_entry(session, idx))
    for view in sorted(views.values(), key=lambda item: item.ref):
        findings.extend(verify_stored(session, view))
    return [view.ref for view in views.values()], findings


def _verify_entry(session: Session, idx: int) -> Iterator[Finding]:
    about = f"entry {idx}"
    try:
        note = session.ledger.files.read_checkpoint()
        if note is None or open_checkpoint(note, session.ledger.key).size <= idx:
            yield Finding(code="log.unsigned", about=about, explanation="no checkpoint covers it yet", failed=False)
        else:
            check_proof(prove_entry(session.ledger, idx), session.ledger.key)
        session.ledger.reader.entry(idx).checked()
    except LinealError as error:
        yield Finding(code=error.code, about=about, explanation=error.message)
