"""A change before the judge: its evidence, and what was found out of it already.

The same is asked of it for every field: who made a call, and whether that was allowed.
"""

from dataclasses import dataclass, field

from lineal.change.judge_chain import act_of, is_by_cloudformation
from lineal.change.judge_evidence import Candidate, Evidence, begins, in_time
from lineal.change.permission import Act, Target, by_decision, find_permission
from lineal.core.api_event import ApiEvent
from lineal.core.change import Change, ChangeApproval, Path
from lineal.core.timestamp import shift

Permission = tuple[ChangeApproval | None, tuple[str, ...]]


@dataclass(slots=True)
class Hearing:
    """A change and what it is judged by.

    `began` is the moment after which what made it can have happened, `certain` the one up to which calls came before
    the look, `candidates` the events that can have made it, newest first, each with whether it is odd (`in_time`).
    """

    change: Change
    evidence: Evidence
    began: str = field(init=False)
    certain: str = field(init=False)
    candidates: list[tuple[Candidate, bool]] = field(init=False)
    _acts: dict[str, Act] = field(init=False, default_factory=dict)
    _permissions: dict[tuple[str, Path], Permission] = field(init=False, default_factory=dict)
    _approvals: list[ChangeApproval] | None = field(init=False, default=None)
    _by_field: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.began = begins(self.change, self.evidence)
        self.certain = shift(self.change.until, -1)
        self.candidates = in_time(self.change, self.evidence)

    def act_of(self, event: ApiEvent) -> Act:
        """Return who did what: the call, and the one behind it."""
        found = self._acts.get(event.id)
        if found is None:
            found = self._acts[event.id] = act_of(
                event, self.evidence.stack_events, self.evidence.stacks, self.evidence.coverage
            )
        return found

    def doubts(self, act: Act) -> tuple[str, ...]:
        """Return what is to be noted of `act`, whoever allowed it."""
        if not act.event.claimed and not act.first.claimed:
            return ()
        return ("the call is only claimed: it came without its source, and no trail has it so far",)

    def permission(self, path: Path, act: Act) -> Permission:
        """Return the approval that allows `act` on the field at `path`, None if none does, and what to note."""
        if self._approvals is None:
            self._approvals = sorted(self.evidence.approvals, key=by_decision)
            self._by_field = any(each.fields for each in self._approvals)
        # Where no approval speaks of fields, what holds of one holds of all.
        asked = (act.event.id, path if self._by_field else ("",))
        found = self._permissions.get(asked)
        if found is None:
            stacks = act.behind.targets if act.behind is not None else ()
            targets = [Target(self.change.resource, self.change.type, path)]
            targets += [Target(each, "AWS::CloudFormation::Stack", None) for each in stacks]
            approval, notes = find_permission(self._approvals, act, targets)
            if act.behind is None and is_by_cloudformation(act.event):
                notes = ("CloudFormation made the call; the event of the stack behind it is not on record", *notes)
            found = self._permissions[asked] = approval, (*self.doubts(act), *notes)
        return found
