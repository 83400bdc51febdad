"""Asking the catalog who did something to what is watched: mutating API events by resource.

Watched is what has configuration items. A trail may hold many times more events than are about such resources, so their
documents are read only for those that are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.catalog import tables
from lineal.ledger.database import Database, chunks

_PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")
# By type: the service, the word before the name in the ARN of what stands beside it, and the calls in question.
_BESIDE: Final = {
    "AWS::ECR::Image": ("ecr", "repository", ("PutImage", "BatchDeleteImage", "PolicyExecutionEvent")),
    "AWS::IAM::Role": ("iam", "policy", ("CreatePolicyVersion", "SetDefaultPolicyVersion")),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event about one resource, as its `document` has it (canonical); '' of what `failed` and amends nothing."""

    resource: str
    id: str
    failed: bool
    document: str


def acts_on_watched(database: Database, resources: Sequence[str]) -> Iterator[Told]:
    """Yield every mutating event about the `resources` (keys), one by one in the order of keys, oldest first.

    Of an event that is about several, one for each; of one that is on record twice, both.
    """
    for part in chunks(sorted(set(resources))):
        yield from _stream(database, _acts().where(tables.api_target.c.resource.in_(part)))


def counts(known: str | None = None) -> sa.ColumnElement[bool]:
    """Return the condition that an event was not only claimed, or (by the moment `known`) is on record only so."""
    other = tables.api.alias()
    borne_out = sa.exists().where(other.c.id == tables.api.c.id, ~other.c.claimed)
    return sa.or_(~tables.api.c.claimed, ~(borne_out if known is None else borne_out.where(other.c.taken <= known)))


def acts_on_unseen(database: Database) -> Iterator[Told]:
    """Yield the mutating events about resources that came and went, and of which nobody ever saw a configuration.

    Resource by resource, as `acts_on_watched`; of each there is a call ``Create…`` and a call ``Delete…`` at least.
    """
    resource = tables.api_target.c.resource
    watched = sa.exists().where(tables.config.c.resource == resource)
    made = tables.api_target.alias()
    gone = resource.in_(_called("Delete", tables.api_target.alias()))
    came = _called("Create", made).where(made.c.resource == resource).correlate(tables.api_target).exists()
    yield from _stream(database, _acts().where(gone, came, ~watched))


def acts_on_stacks(database: Database) -> Iterator[Told]:
    """Yield every mutating event about a stack of CloudFormation, whether it is watched or not."""
    target = tables.api_target.c.resource
    for partition in _PARTITIONS:
        first, last = f"arn:{partition}:cloudformation:", f"arn:{partition}:cloudformation;"
        yield from _stream(database, _acts().where(target >= first, target < last))


def acts_beside(database: Database, kind: str) -> Iterator[Told]:
    """Yield every event about something else that may change resources of the type `kind`.

    A tag that is given to one image of a repository of ECR is taken from another; a policy of IAM is part of the roles
    that it is attached to.
    """
    if kind not in _BESIDE:
        return
    service, words, names = _BESIDE[kind]
    target = tables.api_target.c.resource
    for partition in _PARTITIONS:
        first, last = f"arn:{partition}:{service}:", f"arn:{partition}:{service};"
        about = (target >= first, target < last, target.like(f"%:{words}/%"), tables.api.c.name.in_(names))
        yield from _stream(database, _acts().where(*about))


def items_of_type(database: Database, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the key of each resource of a type with the document of each of its items, in no order."""
    table = tables.config.c
    query = sa.select(table.resource, table.document).where(table.type == kind)
    with database.reading() as connection:
        for row in connection.execution_options(yield_per=1000).execute(query):
            yield row.resource, row.document


def last_judgements(database: Database) -> dict[str, str]:
    """Return the last judgement on record of each thing, by its identifier, as its document has it."""
    table = tables.judgement.c
    query = sa.select(table.about, table.document).order_by(table.idx, table.n)
    with database.reading() as connection:
        rows = connection.execution_options(yield_per=1000).execute(query)
        return {row.about: row.document for row in rows}


def _called(verb: str, target: sa.FromClause) -> sa.Select[Any]:
    """Select the resources of what was done by calls whose name begins with `verb`."""
    api = tables.api.alias().c
    # Not LIKE: an index finds a range, whatever letters the database takes for the same.
    named = (api.name >= verb, api.name < verb[:-1] + chr(ord(verb[-1]) + 1))
    told = (api.idx == target.c.idx, api.n == target.c.n, *named, ~api.failed, ~api.read_only)
    return sa.select(target.c.resource).where(*told)


def _acts() -> sa.Select[Any]:
    api, target = tables.api.c, tables.api_target.c
    # What failed is not read, but for what takes back the success of another.
    is_read = sa.or_(~api.failed, api.amends != "")
    document = sa.case((is_read, api.document), else_="").label("document")
    return (
        sa.select(target.resource, api.id, api.failed, document)
        .where(api.idx == target.idx, api.n == target.n, ~api.read_only, counts())
        .order_by(target.resource, target.time, target.idx, target.n)
    )


def _stream(database: Database, query: sa.Select[Any]) -> Iterator[Told]:
    with database.reading() as connection:
        for row in connection.execution_options(yield_per=1000).execute(query):
            yield Told(row.resource, row.id, row.failed, row.document)
