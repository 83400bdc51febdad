"""The Python SDK: `lineal.open()` and the verbs of the command line.

    with lineal.open() as ledger:
        ledger.snapshot("dataset:raw", "raw.csv")
        with ledger.run("train") as run:
            run.use("dataset:raw")
            run.parameters(lr=0.1)
            …
            run.metrics(auc=0.98)
            run.generate("model.joblib")

What a client says is a claim: tracing (`lineal run`) sees for itself, a client is believed.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lineal.app import lineage, listing, rebuild, snapshot
from lineal.app.lineage import Lineage
from lineal.app.listing import Shown
from lineal.app.naming import file_ref, new_run_id
from lineal.app.session import Session
from lineal.app.snapshot import Snapshotted
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import NodeView
from lineal.core import canonical
from lineal.core import path as paths
from lineal.core.edge import Edge
from lineal.core.event_type import FINISHED
from lineal.core.observation import Node, Observation
from lineal.core.redaction import clean, redact_value
from lineal.errors import BadInput
from lineal.ledger.commit import Receipt


class Run:
    """A run as its own program tells it; made by `Client.run`. Leaving its block records it, also when it failed."""

    def __init__(self, session: Session, name: str, activity: str) -> None:
        self.ref = f"run:{new_run_id(name)}"
        self._session = session
        self._detail: dict[str, Any] = {
            "name": clean(name),
            "activity": clean(activity),
            "parameters": {},
            "metrics": {},
        }
        self._used: list[str] = []
        self._generated: list[str] = []
        self._nodes: list[Node] = []
        self._started = session.clock()

    def use(self, ref: str) -> None:
        """Say that the run used the recorded version `ref`; raise `UnknownRef` if there is none."""
        self._used.append(self._session.catalog.resolve(ref).canonical)

    def generate(self, path: str | Path) -> str:
        """Keep the file at `path` as an output of the run and return its reference."""
        stored = self._session.objects.put_file(Path(path))
        ref = file_ref(self._session, os.fsencode(path), stored.digest)
        place = paths.spell(os.path.abspath(os.fsencode(path)))
        detail = {"path": place, "size": stored.size, "stored": "object"}
        self._nodes.append(Node(ref=ref, basis="verified", digest=stored.digest, detail=detail))
        self._generated.append(ref)
        return ref

    def parameters(self, values: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Add hyper-parameters."""
        for name, value in {**(values or {}), **named}.items():
            self._detail["parameters"][clean(name)] = {"value": _text(name, value), "origin": "sdk"}

    def metrics(self, values: Mapping[str, float] | None = None, /, **named: float) -> None:
        """Add metrics; raise `BadInput` for what is no number."""
        for name, value in {**(values or {}), **named}.items():
            try:
                self._detail["metrics"][clean(name)] = canonical.decimal(value)
            except (TypeError, ValueError, OverflowError) as error:
                raise BadInput(f"the metric {name!r} is not a number: {value!r}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now = self._session.clock()
        state = "finished" if error is None else "failed"
        detail = {**self._detail, "state": state, "started": self._started, "ended": now, "mechanism": "sdk"}
        if kind is not None:
            detail["failure"] = kind.__name__
        edges = [Edge(ref, self.ref, "used") for ref in dict.fromkeys(self._used)]
        edges += [Edge(self.ref, ref, "generated") for ref in dict.fromkeys(self._generated)]
        self._session.say(
            Observation(
                type=FINISHED,
                time=now,
                actor=self._session.actor,
                basis="claimed",
                nodes=(Node(ref=self.ref, basis="claimed", detail=detail), *self._nodes),
                edges=tuple(edges),
                subject=(self.ref,),
            )
        )


def _text(name: str, value: Any) -> str | list[str]:
    """Return a parameter as text, without the secrets that its name or its shape gives away."""
    if isinstance(value, list | tuple):
        return [str(_text(name, item)) for item in value]
    text = canonical.decimal(value) if isinstance(value, float) else clean(str(value))
    return redact_value(name, text)[0]


class Client:
    """An open ledger for Python programs; made by `lineal.open`. Safe to share among threads, which take turns."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def run(self, name: str, activity: str = "run") -> Run:
        """Return a run to use as a context manager."""
        return Run(self.session, name, activity)

    def snapshot(self, name: str, path: str | Path, *, keep: bool | None = None) -> Snapshotted:
        """Record a file, a folder or a prefix of a bucket (``s3://…``) as a dataset version; see `lineal snapshot`.

        `keep` is whether its bytes are stored: if left open, those of a file or folder are, those of a bucket not.
        """
        from lineal.sources.bucket_open import is_address

        if isinstance(path, str) and is_address(path):
            from lineal.app.snapshot_bucket import Asked, snapshot_bucket

            return snapshot_bucket(self.session, name, path, Asked(keep=bool(keep)))
        return snapshot.snapshot(self.session, name, Path(path), keep=keep is not False)

    def record(self, observations: Sequence[Observation]) -> list[Receipt]:
        """Record observations in one durable commit, and return their places in the log: the way in for bulk."""
        return self.session.say_all(observations)

    def resolve(self, ref: str, moment: Moment = NOW) -> NodeView:
        """Return the one recorded thing that `ref` names."""
        return self.session.catalog.resolve(ref, moment)

    def show(self, ref: str, moment: Moment = NOW) -> Shown:
        """Return everything recorded of `ref`."""
        return listing.show(self.session, ref, moment)

    def trace(self, ref: str, moment: Moment = NOW, *, depth: int | None = None, kinds: Iterable[str] = ()) -> Lineage:
        """Return what made `ref`."""
        return lineage.trace(self.session, ref, moment, depth, tuple(kinds))

    def impact(self, ref: str, moment: Moment = NOW, *, depth: int | None = None, kinds: Iterable[str] = ()) -> Lineage:
        """Return what `ref` touches."""
        return lineage.impact(self.session, ref, moment, depth, tuple(kinds))

    def rebuild(self, on_progress: Callable[[int, int], None] | None = None) -> rebuild.Rebuilt:
        """Make the catalog anew from the ledger."""
        return rebuild.rebuild(self.session, on_progress)

    def close(self) -> None:
        """Publish what was recorded and let go of the ledger."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
