"""In what format and where `lineal check` writes what it found."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lineal.core.conclusion import SEVERITIES
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.app.check_rules import Checked

FORMATS: Final = ("text", "json", "sarif", "ocsf")


def check_format(form: str | None, output: Path | None) -> str:
    """Return the format of what is written; raise `UsageError` for one that there is not, or a file of text."""
    if form is not None and form not in FORMATS:
        raise UsageError(f"no such format: {form!r}", fix=f"One of {', '.join(FORMATS)}.")
    if output is not None and form in (None, "text"):
        raise UsageError("-o writes a document for machines", fix="Say which: --format json, sarif or ocsf.")
    return form or "text"


def document_of(form: str, found: "Checked | None", whole: Any, time: str) -> Any:
    """Return the document of a format: `whole` for JSON, else what rules `found` at the moment `time`."""
    if form not in {"sarif", "ocsf"}:
        return whole
    from lineal import __version__
    from lineal.evidence.ocsf import describe_ocsf
    from lineal.evidence.sarif import describe_sarif

    conclusions = () if found is None else found.conclusions
    rules = () if found is None else found.rules.rules
    if form == "sarif":
        return describe_sarif(conclusions, rules, __version__)
    return describe_ocsf(conclusions, rules, time, __version__)


def write_document(document: Any, output: Path) -> None:
    """Write a document to a file, whole or not at all; raise `StoreError` branches where that cannot be done."""
    from lineal.ledger.disk import telling

    staged = output.with_name(f".{output.name}.{os.getpid()}")
    with telling(output, "; no document was written"):
        try:
            staged.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            staged.replace(output)
        finally:
            staged.unlink(missing_ok=True)


def check_severity(text: str) -> str:
    """Return a severity; raise `UsageError` for one that there is not."""
    if text not in SEVERITIES:
        raise UsageError(f"no such severity: {text!r}", fix=f"One of {', '.join(SEVERITIES)}.")
    return text
