"""`lineal verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from lineal.cli import options
from lineal.cli.log import print_proof
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal
from lineal.errors import BadInput, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineal.app.log import Proof
    from lineal.core.finding import Finding
    from lineal.ledger.keys import VerifyingKey


def verify(
    ref: Annotated[
        str | None,
        typer.Argument(metavar="[REF]", help="Only this and all that made it.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY|FILE", help="The log's verifying key, as you were given it."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", help="A checkpoint that you kept: the log must go on from it."),
    ] = None,
    references: Annotated[
        bool,
        typer.Option(
            "--references", help="Without REF: look at what lies elsewhere, too (reads folders, lists buckets)."
        ),
    ] = False,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check proofs, signatures and bytes; exit 10 on any break.

    Without REF: every entry, checkpoint, tile, body and stored object of the ledger, and the catalog against it.
    With REF: the thing and everything behind it, with the proof of each entry.
    A log that was written anew under another key is sound in itself: --key and --checkpoint tell it from yours.

    Examples: `lineal verify` · `lineal verify endpoint:scorer` · `lineal verify --json > findings.json`
    · `lineal verify --references` · `lineal verify --key risk.vkey --checkpoint kept/checkpoint`
    """
    terminal = Terminal(as_json=as_json, quiet=quiet)
    kept = _read_key(key), _read_checkpoint(checkpoint)
    findings, subject, proofs = _verify(ref, ledger, kept, terminal, references=references)
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


def _read_key(text: str | None) -> "VerifyingKey | None":
    from lineal.ledger.keys import VerifyingKey

    if text is None:
        return None
    file = Path(text)
    try:
        return VerifyingKey.parse(file.read_text(encoding="utf-8").strip() if file.is_file() else text)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read the key in {text}: {error}") from error


def _read_checkpoint(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read the checkpoint in {file}: {error.strerror}") from error


def _verify(
    ref: str | None,
    ledger: str | None,
    kept: "tuple[VerifyingKey | None, bytes | None]",
    terminal: Terminal,
    *,
    references: bool,
) -> "tuple[Sequence[Finding], str, Sequence[Proof]]":
    from lineal.app.verify import verify_against, verify_all, verify_one
    from lineal.core.finding import Finding

    try:
        with opened(ledger) as session:
            against = list(verify_against(session, *kept))
            if ref is not None:
                found = verify_one(session, ref)
                subject = f"{ref} and what made it: {len(found.names)} things, their entries and stored bytes"
                return [*against, *found.findings], subject, found.proofs
            with terminal.progress("verifying", unit="entries") as move:
                found_all = verify_all(session, lambda _what, done, total: move(done, total), references=references)
                findings = [*against, *found_all]
            size = session.ledger.reader.size()
            return findings, f"{session.ledger.origin}: {size} entries, their proofs, signatures and stored bytes", ()
    except IntegrityError as error:  # a ledger that refuses to open is what verify is there to report
        finding = Finding(code=error.code, about="ledger", explanation=f"it cannot be opened: {error.message}")
        return [finding], "the ledger refused to open", ()
