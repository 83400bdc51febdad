"""The documents of `--json`: what commands print for machines, in one shape wherever a thing appears."""

from typing import TYPE_CHECKING, Any

from lineal.catalog.graph import FOREVER

if TYPE_CHECKING:
    from lineal.app.card import Card, Row
    from lineal.app.comparison import Comparison, Section
    from lineal.app.diff import Difference
    from lineal.app.lineage import Lineage
    from lineal.app.log import Proof
    from lineal.catalog.reader import Fact, NodeView
    from lineal.core.finding import Finding


def describe_node(view: "NodeView") -> dict[str, Any]:
    """Return a node: ``ref kind name version digest time actor basis``."""
    return {
        "ref": view.ref,
        "kind": view.kind,
        "name": view.name,
        "version": view.version,
        "digest": view.digest,
        "time": view.time,
        "actor": view.actor,
        "basis": view.basis,
    }


def describe_gap(code: str, explanation: str, about: str | None) -> dict[str, Any]:
    """Return a gap: ``code explanation about``."""
    return {"code": code, "explanation": explanation, "about": about}


def describe_fact(fact: "Fact") -> dict[str, Any]:
    """Return what one entry says of a node."""
    return {
        "entry": fact.idx,
        "type": fact.type,
        "time": fact.time,
        "recorded": fact.taken,
        "actor": fact.actor,
        "basis": fact.basis,
        "detail": fact.detail,
    }


def describe_finding(finding: "Finding") -> dict[str, Any]:
    """Return a finding: ``code about explanation failed``."""
    return finding.describe()


def describe_lineage(found: "Lineage") -> dict[str, Any]:
    """Return a lineage: ``root at nodes edges gaps``; an edge's source feeds its target."""
    names = {view.id: view.ref for view in found.nodes}
    return {
        "root": found.root.ref,
        "at": None if found.moment.time == FOREVER else found.moment.time,
        "nodes": [describe_node(view) for view in found.nodes],
        "edges": [
            {"source": names[source], "target": names[target], "type": kind} for source, target, kind in found.edges
        ],
        "gaps": [describe_gap(gap["code"], gap["explanation"], gap["about"]) for gap in found.gaps],
    }


def describe_card(card: "Card") -> dict[str, Any]:
    """Return a completeness card: ``ref digest complete rows findings``."""
    return {
        "ref": card.ref,
        "digest": card.digest,
        "complete": card.complete,
        "rows": [describe_row(row) for row in card.rows],
        "findings": [describe_finding(finding) for finding in card.findings],
    }


def describe_row(row: "Row") -> dict[str, Any]:
    """Return a row of a card: its fields (see `Row`) and whether it ``holds``; null is: does not apply."""
    return {
        "phase": row.phase,
        "artifact": row.artifact,
        "role": row.role,
        "step": row.step,
        "ref": row.ref,
        "required": row.required,
        "holds": row.holds,
        "tracked": row.tracked,
        "immutable": row.immutable,
        "retrievable": row.retrievable,
        "verified": row.verified,
        "how": row.how,
        "where": row.where,
        "basis": row.basis,
        "digest": row.digest,
        "time": row.time,
        "actor": row.actor,
        "missing": row.missing,
        "fill": row.fill,
    }


def describe_difference(found: "Difference") -> dict[str, Any]:
    """Return a difference: the nodes ``old`` and ``new``, and their comparison (see `describe_comparison`)."""
    return {
        "old": describe_node(found.old.view),
        "new": describe_node(found.new.view),
        **describe_comparison(found.comparison),
    }


def describe_comparison(found: "Comparison") -> dict[str, Any]:
    """Return a comparison: ``name a b differs sections steps``; ``a`` or ``b`` is null for a step of one side only."""
    return {
        "name": found.name,
        "a": found.a,
        "b": found.b,
        "differs": found.differs,
        "sections": [_describe_section(section) for section in found.sections],
        "steps": [describe_comparison(step) for step in found.steps],
    }


def _describe_section(section: "Section") -> dict[str, Any]:
    changes = [
        {"name": each.name, "change": each.kind, "old": each.old, "new": each.new, "delta": each.delta}
        for each in section.changes
    ]
    return {
        "name": section.name,
        "added": section.added,
        "removed": section.removed,
        "changed": section.changed,
        "same": section.same,
        "changes": changes,
        "note": section.note,
    }


def describe_proof(proof: "Proof") -> dict[str, Any]:
    """Return a proof: ``entry leaf path checkpoint since``; hashes are lowercase hex, checkpoints signed notes."""
    return {
        "entry": proof.inclusion.idx,
        "leaf": proof.inclusion.leaf.hex(),
        "path": [hashed.hex() for hashed in proof.inclusion.hashes],
        "checkpoint": proof.inclusion.note.decode(),
        "since": {"checkpoint": proof.since.old.decode(), "consistency": [item.hex() for item in proof.since.hashes]},
    }
