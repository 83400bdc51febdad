"""`lineal collect eventbridge`."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


def collect_eventbridge(
    place: Annotated[
        str | None,
        typer.Argument(metavar="PLACE", help="A file or folder of events; - is standard input.", show_default=False),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="HOST:PORT", help="Take events by HTTP POST at this address until Ctrl-C."),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", metavar="FILE", help="With --listen: what the header X-Lineal-Secret must hold."),
    ] = None,
    reads: Annotated[
        bool, typer.Option("--reads", help="Keep calls that only read a resource whose configuration is on record.")
    ] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record calls and changes of state that EventBridge passes on.

    Examples: `lineal collect eventbridge events.jsonl` · `lineal collect eventbridge -` ·
    `lineal collect eventbridge --listen 127.0.0.1:8620`
    """
    from lineal.app.collect_events import collect_eventbridge as collect
    from lineal.cli.collect_cloudtrail import emit_trail
    from lineal.errors import UsageError

    if (place is None) is (listen is None):
        raise UsageError("name a file, or --listen: one of them", fix="lineal collect eventbridge events.jsonl")
    terminal = Terminal(as_json=as_json, quiet=quiet)
    if listen is not None:
        _listen(terminal, listen, secret_file, ledger, actor, reads=reads)
        return
    with opened(ledger, actor) as session, terminal.progress("EventBridge", unit="observations") as move:
        found = collect(session, str(place), reads=reads, on_progress=move)
    emit_trail(terminal, [found])


def _listen(
    terminal: Terminal, address: str, secret_file: Path | None, ledger: str | None, actor: str | None, *, reads: bool
) -> None:
    """Take events until the process is asked to end; then say how many there were."""
    import signal
    from types import FrameType

    from lineal.app.trail_receiver import Receiver
    from lineal.errors import BadInput

    secret = ""
    if secret_file is not None:
        try:
            secret = secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"the secret cannot be read from {secret_file}: {error}") from error
        if not secret:
            raise BadInput(f"there is no secret in {secret_file}")

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with opened(ledger, actor) as session, terminal.progress("EventBridge", unit="observations") as move:
            with Receiver(session, address, secret, reads=reads, on_event=move) as receiver:
                host, port = receiver.server_address[:2]
                terminal.note(f"listening on http://{host!s}:{port}")
                try:
                    receiver.serve_forever(poll_interval=0.2)
                except KeyboardInterrupt:
                    with receiver.turn:  # what is being recorded is recorded to its end
                        receiver.closing = True
            counts = dict(receiver.counts)
    finally:
        signal.signal(signal.SIGTERM, before)
    line = f"received: {counts['events']:,} events, {counts['recorded']:,} new on record"
    terminal.emit(counts, lambda out: out.print(line, markup=False))
