"""Changes, the approvals that allow them, and what was concluded of each: the values that explanation works on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.resource import check_keys
from lineal.errors import Malformed

ALLOWED: Final = "change.approved/1"
JUDGED: Final = "change.judged/1"

APPROVED, UNAPPROVED, UNEXPLAINED = "APPROVED", "ATTRIBUTED_UNAPPROVED", "UNEXPLAINED"
WITHOUT_EFFECT, NOT_DONE, MANAGED = "EVENT_WITHOUT_EFFECT", "APPROVED_NOT_DONE", "SERVICE_MANAGED"
PENDING, NOT_OBSERVABLE = "PENDING", "NOT_OBSERVABLE"
VERDICTS: Final = (
    APPROVED, UNAPPROVED, UNEXPLAINED, WITHOUT_EFFECT, NOT_DONE, MANAGED, PENDING, NOT_OBSERVABLE,
)  # fmt: skip

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """One field that differs: `op` is ``add``, ``remove`` or ``replace`` (as RFC 6902 names them).

    `path` are the keys down to it; an element of a keyed list is named by its key (``ProductionVariants``,
    ``AllTraffic``), of a set of values by its value, of any other list by its index as text. Where the order of a keyed
    list counts, `at` is the index of an element that came (in the new list) or went (in the old one), and ``#order`` at
    the end of a path stands for the order of the elements that stayed.
    """

    op: str
    path: Path
    old: Any = None
    new: Any = None
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference of two consecutive configuration items of one resource: it happened after `since`, by `until`.

    `kind` is ``created``, ``updated`` or ``deleted``. `before` and `after` are the digests of the two items, None where
    there is none. `since` is None when nothing is known from before.
    """

    id: str
    resource: str
    type: str
    account: str
    region: str
    kind: str
    since: str | None
    until: str
    before: str | None
    after: str | None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeApproval:
    """What somebody allowed: who may change which fields of which resources by which calls, and when.

    `resources`, `types`, `fields`, `actions` and `principals` are patterns (``*`` and ``?``, as in a shell); an empty
    list allows any. Fields are paths with dots. `decided` is when the approval was given: an act before it is not
    approved by it, unless `retroactive` says that this is what was meant. `digest` is that of the ticket it was read
    from. `withdrawn` is the moment from which on it allows nothing any more, empty where it was not taken back.
    """

    id: str
    ticket: str = ""
    resources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    not_before: str
    not_after: str
    decided: str
    approver: str
    requester: str = ""
    reason: str = ""
    retroactive: bool = False
    digest: str = ""
    withdrawn: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the approval as it stands in an event body; raise `BadTime`."""
        for each in (self.not_before, self.not_after, self.decided, *filter(None, [self.withdrawn])):
            timestamp.check(each)
        check_keys(self.id)
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        if not self.withdrawn:
            del found["withdrawn"]
        return found


def read_approval(document: Mapping[str, Any]) -> ChangeApproval:
    """Return the approval that `describe` gave; raise `Malformed` for any other document."""
    try:
        found: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in document.items()}
        return ChangeApproval(**found)
    except TypeError as error:
        raise Malformed(f"not an approval of a change: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldJudgement:
    """What was concluded of one field of a change, with the event and the approval that it rests on."""

    path: Path
    verdict: str
    event: str = ""
    approval: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was concluded of one change, one event or one approval (`about` is its identifier), and from what.

    `verdict` is one of `VERDICTS`; `why` says it in a sentence. `since` and `until` bound when the act happened
    (moments; `since` may be None). `inputs` is the digest of everything it was concluded from, `rules` the version of
    the rules: the same inputs and rules give the same judgement, so another judgement of the same thing means other
    evidence.
    """

    about: str
    subject: str
    resource: str
    verdict: str
    why: str
    since: str | None = None
    until: str
    fields: tuple[FieldJudgement, ...] = ()
    events: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    inputs: str = ""
    rules: str = ""
    notes: tuple[str, ...] = field(default=())

    def describe(self) -> dict[str, Any]:
        """Return the judgement as it stands in an event body; raise `BadTime`."""
        timestamp.check(self.until)
        check_keys(self.about, self.resource)
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        found["fields"] = [{**asdict(each), "path": list(each.path)} for each in self.fields]
        return found


def read_judgement(document: Mapping[str, Any]) -> Judgement:
    """Return the judgement that `describe` gave; raise `Malformed` for any other document."""
    try:
        found: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in document.items()}
        found["fields"] = tuple(FieldJudgement(**{**each, "path": tuple(each["path"])}) for each in found["fields"])
        return Judgement(**found)
    except (TypeError, KeyError) as error:
        raise Malformed(f"not a judgement of a change: {error}") from error
