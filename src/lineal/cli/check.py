"""`lineal check`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lineal.cli import options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal
from lineal.errors import BadRef, CheckFailed, UnknownRef

if TYPE_CHECKING:
    from lineal.app.card import Card
    from lineal.app.check_rules import Checked
    from lineal.app.rule_sets import RuleSet
    from lineal.app.session import Session
    from lineal.catalog.graph import Moment

_Sets = Annotated[
    list[str] | None,
    typer.Option("--rules", metavar="FILE|NAME", help="A file of rules, a conformance pack, or a set (repeatable)."),
]
_Ids = Annotated[list[str] | None, typer.Option("--rule", metavar="ID", help="Ask this rule only (repeatable).")]
_Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", metavar="ID.NAME=VALUE", help="Ask a rule with another parameter (repeatable)."),
]
_Severity = Annotated[
    str,
    typer.Option(
        "--severity", metavar="LEVEL", help="From this severity on: informational, low, medium, high, critical."
    ),
]
_Format = Annotated[str | None, typer.Option("--format", metavar="FORMAT", help="text, json, sarif or ocsf.")]
_Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the document of --format here.")
]
_NoRecord = Annotated[bool, typer.Option("--no-record", help="Put no conclusion on record.")]
_Notify = Annotated[
    list[str] | None,
    typer.Option(
        "--notify",
        metavar="URL",
        help="Tell this address of Apprise what is new (repeatable). [env: LINEAL_NOTIFY]",
    ),
]
_Python = Annotated[
    list[Path] | None,
    typer.Option("--python-rules", metavar="FILE", help="Run this file of Python for its RULES (repeatable)."),
]
_List = Annotated[bool, typer.Option("--list-rules", help="Show the rules there are, and ask none.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked: cards of models and endpoints, and rules of resources."""

    ref: str | None
    moment: "Moment"
    deep: bool
    rules: "RuleSet | None"
    severity: str
    record: bool


def check(
    ref: Annotated[
        str | None,
        typer.Argument(metavar="[REF]", help="A model version, an endpoint, or a resource.", show_default=False),
    ] = None,
    at: options.At = None,
    known: options.Known = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every byte, even if there is more than 1 GiB; rules look at buckets.")
    ] = False,
    sets: _Sets = None,
    ids: _Ids = None,
    parameters: _Parameters = None,
    severity: _Severity = "low",
    form: _Format = None,
    output: _Output = None,
    no_record: _NoRecord = False,
    notify: _Notify = None,
    python: _Python = None,
    list_rules: _List = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The completeness card: is everything behind a model tracked, fixed, still here, verified? Exit 1 if not.

    Without REF: every endpoint that serves and the latest version of every model, a line each. Where configuration is
    on record, or --rules are given, rules are asked of every resource, too; of one resource, if REF is its ARN or name.

    Examples: `lineal check endpoint:scorer` · `lineal check model:risk@2 --json` · `lineal check --deep` ·
    `lineal check --rules sagemaker-ai --format sarif -o findings.sarif` · `lineal check --severity high`
    """
    from lineal.app.notify import check_urls
    from lineal.cli.check_output import check_format, check_severity

    form = check_format(form, output)
    terminal = Terminal(as_json=as_json or (form != "text" and output is None), quiet=quiet)
    wanted = bool(sets or ids or python or parameters or list_rules)
    rules = _rules(sets or [], ids or [], python or [], parameters or []) if wanted else None
    if list_rules and rules is not None:
        _list_rules(rules, terminal)
        return
    urls = notify or os.environ.get("LINEAL_NOTIFY", "").split()
    check_urls(urls)
    asked = _Asked(ref, read_moment(at, known), deep, rules, check_severity(severity), not no_record)
    with opened(ledger, actor) as session, terminal.progress("checking") as move:
        cards, checked = _ask(session, asked, move)
        time = session.clock() if at is None else asked.moment.time
    warnings = _tell(checked, urls, terminal)
    _emit(terminal, asked, cards, checked, (form, output, time), warnings)
    if (cards is not None and not all(card.complete for card in cards)) or not (checked is None or checked.compliant):
        raise typer.Exit(CheckFailed.exit_status)


def _rules(sets: list[str], ids: list[str], python: list[Path], parameters: list[str]) -> "RuleSet":
    """Return the rules that were asked for."""
    from lineal.app.check_rules import choose_rules
    from lineal.app.rule_plugins import load_python_rules
    from lineal.app.rule_sets import load_rules, override

    more = [rule for path in python for rule in load_python_rules(path)]
    return choose_rules(override(load_rules(sets, more), parameters), ids)


def _list_rules(rules: "RuleSet", terminal: Terminal) -> None:
    from lineal.app.rule_sets import shipped_sets
    from lineal.cli.check_picture import print_rules
    from lineal.wire.conclusions import describe_rules

    terminal.emit(
        {**describe_rules(rules), "sets": shipped_sets()}, lambda out: print_rules(rules, shipped_sets(), out)
    )


def _ask(session: "Session", asked: _Asked, move: Any) -> "tuple[list[Card] | None, Checked | None]":
    from lineal.app.check import check as ask
    from lineal.app.check import check_all
    from lineal.app.check_rules import check_rules, has_configuration, resources_of
    from lineal.app.rule_sets import load_rules

    cards: list[Card] | None = None
    only: list[str] | None = None
    if asked.ref is None:
        cards = list(check_all(session, asked.moment, deep=asked.deep, on_progress=move))
        if asked.rules is None and not has_configuration(session, asked.moment):
            return cards, None
    else:
        try:
            cards = [ask(session, asked.ref, asked.moment, deep=asked.deep, on_progress=move)]
        except (UnknownRef, BadRef):
            only = resources_of(session, asked.ref, asked.moment)
            if not only:
                raise
        else:
            if asked.rules is None:
                return cards, None
            only = resources_of(session, asked.ref, asked.moment)
    rules = load_rules() if asked.rules is None else asked.rules
    checked = check_rules(
        session,
        rules,
        moment=asked.moment,
        only=only,
        severity=asked.severity,
        record=asked.record,
        deep=asked.deep,
        on_progress=move,
    )
    return cards, checked


def _tell(checked: "Checked | None", urls: list[str], terminal: Terminal) -> tuple[str, ...]:
    from lineal.app.notify import notify
    from lineal.app.rule_news import news_of

    if checked is None:
        return ()
    told = notify(urls, *news_of(checked.changed)) if urls else ()
    warnings = (*filter(None, [checked.refused]), *told)
    for warning in warnings:
        terminal.note(f"warning: {warning}")
    return warnings


def _emit(
    terminal: Terminal,
    asked: _Asked,
    cards: "list[Card] | None",
    checked: "Checked | None",
    place: tuple[str, Path | None, str],
    warnings: tuple[str, ...],
) -> None:
    from lineal.cli.card_picture import print_card, verdict
    from lineal.cli.check_output import document_of, write_document
    from lineal.cli.check_picture import print_checked
    from lineal.wire.conclusions import describe_checked
    from lineal.wire.documents import describe_card

    form, output, time = place
    document: dict[str, Any] = {}
    if asked.ref is None and cards is not None:
        document = {
            "complete": all(card.complete for card in cards),
            "cards": [describe_card(card) for card in cards],
            "rules": None,
        }
    elif cards is not None:
        document = describe_card(cards[0])
    if checked is not None:
        document["rules"] = describe_checked(checked, warnings)

    def render(out: Console) -> None:
        if asked.ref is not None and cards:
            print_card(cards[0], out)
        else:
            for card in cards or ():
                out.print(verdict(card))
        if checked is not None:
            print_checked(checked, out)

    made = document_of(form, checked, document, time)
    if output is not None:
        write_document(made, output)
    terminal.emit(made if output is None else document, render)
    if cards == [] and checked is None:
        terminal.note("no model and no endpoint is recorded; next: lineal register, lineal deploy")
