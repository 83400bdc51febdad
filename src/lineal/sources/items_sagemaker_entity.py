"""What one type of thing of SageMaker is like: how it is listed and described, where its state stands."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lineal.core.config_item import Relationship
from lineal.sources import sagemaker_reading as reading
from lineal.sources.items_reading import Asker, Body

Join = Callable[[Asker, Body], Iterable[Relationship]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One type of thing: how it is listed and described, where its state stands, what it points to.

    A thing whose state is one of `moving` is changing, and so is one of which a member `parts` has such a ``Status``;
    of jobs only those that have ended are read (`ended`). SageMaker has no operation that changes what is `fixed`, but
    for its tags. `documents` are members that hold JSON as text, `paged` a list that Describe gives page by page.
    """

    type: str
    listed: reading.Kind
    join: Join | None = None
    state: str | None = None
    moving: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()
    ended: frozenset[str] = frozenset()
    documents: tuple[str, ...] = ()
    paged: str | None = None
    fixed: bool = False
    more: Callable[[Asker, str], Mapping[str, Any]] | None = None

    def state_in(self, body: Body) -> str:
        """Return the state that an answer of Describe says; '' where there is none."""
        return str(body.get(self.state) or "") if self.state else ""

    def moves(self, body: Body) -> str:
        """Return the state of what is changing by an answer of Describe, '' if nothing is."""
        held = [body.get(each) for each in self.parts]
        states = [self.state_in(body), *(str(each.get("Status")) for each in held if isinstance(each, Mapping))]
        return next((each for each in states if each in self.moving), "")
