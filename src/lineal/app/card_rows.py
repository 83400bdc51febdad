"""How a row of the completeness card is made: of bytes, of what stands in the log, of what is not there."""

import os
from typing import Any

from lineal.app.card import Row
from lineal.app.elsewhere import OBJECT_BASES
from lineal.app.life import Known, Step
from lineal.app.witness import NOTHING, Witness, is_committed
from lineal.core import canonical
from lineal.core.digest import Digest


class RowMaker:
    """Makes rows, asking a witness what can be shown of each thing now."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def content(
        self,
        phase: str,
        artifact: str,
        step: Step | None,
        known: Known,
        *,
        role: str | None = None,
        required: bool = True,
        immutable: bool = True,
        how: str | None = None,
        wrong: str | None = None,
        fill: str | None = None,
    ) -> Row:
        """Return the row of something that has bytes, which are looked for and hashed now."""
        shown = self._witness.show(known)
        unproved = self._witness.prove(known.view.idx)
        verified = False if unproved else shown.verified  # of an image nobody here has read a byte: neither yes nor no
        unfixed = known.view.detail.get("fixed") is False
        wrong = "only its address is known: what was there then is not" if unfixed and wrong is None else wrong
        missing = wrong or shown.against or unproved
        row = _row(phase, artifact, step, known, role=role, required=required)
        return Row(
            **row,
            digest=known.view.digest,
            immutable=immutable and known.view.digest is not None and not unfixed,
            retrievable=shown.retrievable,
            verified=verified,
            how="address" if unfixed else how or "digest",
            where=shown.where,
            missing=missing,
            fill=None if missing is None else "lineal verify" if unproved and not shown.against else fill,
        )

    def recorded(
        self,
        phase: str,
        artifact: str,
        step: Step | None,
        known: Known,
        content: dict[str, Any],
        entry: int | None,
        how: str | None = None,
    ) -> Row:
        """Return the row of something that stands in the log itself; its digest is that of its canonical bytes.

        Of a run, what it printed and the table of its files are looked for, too.
        """
        unproved = self._witness.prove(entry)
        kept = self._witness.show(known) if artifact == "run" else NOTHING
        missing = unproved or kept.against
        return Row(
            **_row(phase, artifact, step, known, role=None, required=True),
            digest=str(Digest.of(canonical.encode(content))),
            immutable=True,
            retrievable=kept.retrievable is not False and (unproved is None or "erased" not in unproved),
            verified=False if unproved else kept.verified if kept.retrievable is not None else True,
            how=how or f"entry {entry}",
            where=f"entry {entry} of the log",
            missing=missing,
            fill=None if missing is None else "lineal verify",
        )


def _row(
    phase: str, artifact: str, step: Step | None, known: Known, *, role: str | None, required: bool
) -> dict[str, Any]:
    view = known.view
    return {
        "phase": phase,
        "artifact": artifact,
        "role": role,
        "step": None if step is None else step.run.view.ref,
        "ref": view.ref,
        "required": required,
        "tracked": view.time is not None,
        "basis": view.basis,
        "time": view.time,
        "actor": view.actor,
    }


def absent(phase: str, artifact: str, why: str, fill: str, step: Step | None) -> Row:
    """Return the row of an artifact that is not tracked: `why`, and the command that would `fill` it."""
    at = None if step is None else step.run.view.ref
    return Row(phase=phase, artifact=artifact, step=at, tracked=False, missing=why, fill=fill)


def fixed_code(detail: dict[str, Any]) -> tuple[str, bool]:
    """Return what fixes the code, and whether it is fixed: by a clean commit, or by its tree being kept."""
    commit, kept = str(detail.get("commit") or ""), detail.get("stored") == "dataset"
    if detail.get("basis_of_identity") in OBJECT_BASES:
        return f"object by {detail['basis_of_identity']}", True
    if is_committed(detail):
        return f"commit {commit[:12]}", True
    more = "untracked files" if detail.get("dirty") is False else "uncommitted changes"
    state = f"commit {commit[:12]} and {more}" if commit else "no commit"
    return f"{state}: tree {'kept' if kept else 'not kept'}", kept


def run_again(step: Step, more: str = "") -> str:
    """Return the command that runs `step` again on record."""
    argv = step.run.detail.get("argv")
    words = " ".join(argv) if isinstance(argv, list) and argv else "COMMAND"
    return " ".join(filter(None, ("lineal run --name", step.name, more, "--", words)))


def snapshot_again(known: Known) -> str:
    """Return the command that keeps the data of `known` as a dataset version."""
    name, _, _ = known.view.name.rpartition(".") if known.view.kind == "file" else (known.view.name, "", "")
    name = os.path.basename(name) or known.view.name
    return f"lineal snapshot dataset:{name} {known.detail.get('path', 'PATH')}"


def register_again(model: Known) -> str:
    """Return the command that registers the file of a model."""
    return f"lineal register {artifact_of(model.view.ref)} {model.detail.get('path', 'FILE')}"


def artifact_of(text: str) -> str:
    """Return the reference `text` without its version."""
    return text.partition("@")[0]
