"""`lineal verify`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from lineal.cli import options
from lineal.cli.log import print_proof
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal
from lineal.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineal.app.log import Proof
    from lineal.core.finding import Finding


def verify(
    ref: Annotated[
        str | None,
        typer.Argument(metavar="[REF]", help="Only this and all that made it.", show_default=False),
    ] = None,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check proofs, signatures and bytes; exit 10 on any break.

    Without REF: every entry, checkpoint, tile, body and stored object of the ledger, and the catalog against it.
    With REF: the thing and everything behind it, with the proof of each entry.

    Examples: `lineal verify` · `lineal verify endpoint:scorer` · `lineal verify --json > findings.json`
    """
    terminal = Terminal(as_json=as_json, quiet=quiet)
    findings, subject, proofs = _verify(ref, ledger, terminal)
    failed = [finding for finding in findings if finding.failed]

    def render(out: Console) -> None:
        for proof in proofs:
            out.print(f"entry {proof.inclusion.idx}")
            print_proof(out, proof)
        for finding in findings:
            mark = "[bold red]broken[/]" if finding.failed else "[yellow]note[/]  "
            out.print(f"{mark} {escape(finding.about)}: {escape(finding.explanation)} [dim]{finding.code}[/]")
        verdict = f"[bold red]{len(failed)} broken[/]" if failed else "[bold green]verified[/]"
        out.print(f"{verdict}: {escape(subject)}")

    document: dict[str, Any] = {
        "verified": not failed,
        "subject": subject,
        "findings": [finding.describe() for finding in findings],
    }
    if ref is not None:
        from lineal.wire.documents import describe_proof

        document["proofs"] = [describe_proof(proof) for proof in proofs]
    terminal.emit(document, render)
    if failed:
        raise typer.Exit(IntegrityError.exit_status)


def _verify(
    ref: str | None, ledger: str | None, terminal: Terminal
) -> "tuple[Sequence[Finding], str, Sequence[Proof]]":
    from lineal.app.verify import verify_all, verify_one
    from lineal.core.finding import Finding

    try:
        with opened(ledger) as session:
            if ref is not None:
                found = verify_one(session, ref)
                subject = f"{ref} and what made it: {len(found.names)} things, their entries and stored bytes"
                return found.findings, subject, found.proofs
            with terminal.progress("verifying", unit="entries") as move:
                findings = list(verify_all(session, lambda _what, done, total: move(done, total)))
            size = session.ledger.reader.size()
            return findings, f"{session.ledger.origin}: {size} entries, their proofs, signatures and stored bytes", ()
    except IntegrityError as error:  # a ledger that refuses to open is what verify is there to report
        finding = Finding(code=error.code, about="ledger", explanation=f"it cannot be opened: {error.message}")
        return [finding], "the ledger refused to open", ()
