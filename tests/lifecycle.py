"""The life of a model, said by hand in the form in which the commands record it, with any part left out or wrong."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lineal.app.session import Session
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.datasets.snapshot import snapshot
from lineal.wiring import Settings, create, open_session

PACKAGES = {"numpy": "2.1.0", "scikit-learn": "1.5.2"}
COMMIT = "1f" * 20


class Team:
    """Somebody's working folder with a ledger in it, and what they record. Every call says one statement."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder = folder
        self.session = session
        self.runs: list[str] = []

    def say(
        self,
        kind: str,
        nodes: Iterable[Node],
        edges: Iterable[tuple[str, str, str]] = (),
        *,
        by: str = "ann",
        basis: str = "observed",
        gaps: Iterable[Gap] = (),
    ) -> int:
        """Record one statement and return the number of its entry."""
        said = Observation(
            type=kind,
            time=self.session.clock(),
            actor=by,
            basis=basis,
            nodes=tuple(nodes),
            edges=tuple(Edge(*edge) for edge in edges),
            gaps=tuple(gaps),
        )
        return self.session.say(said).idx

    def file(self, name: str, content: bytes, *, keep: bool = True) -> Node:
        """Write a file and return its node, with its bytes in the store or not."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        digest = Digest.of(content)
        detail: dict[str, Any] = {"path": str(place), "size": len(content)}
        if keep:
            self.session.objects.put_file(place)
            detail["stored"] = "object"
        return Node(ref=f"file:{name}@{digest}", basis="observed", digest=digest, detail=detail)

    def tree(self, ref: str, files: Mapping[str, bytes], *, keep: bool = True, **node: Any) -> Node:
        """Write a folder named after the artifact `ref` and return its node, identified by its manifest."""
        place = self.folder / ref.replace(":", "-")
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        for found in list(place.rglob("*")):
            if found.is_file() and str(found.relative_to(place)) not in files:
                found.unlink()
        taken = snapshot(place, self.session.objects, keep=keep)
        detail = {"path": str(place), "stored": "dataset" if keep else "manifest", **node.pop("detail", {})}
        full = f"{ref}@{taken.digest}"
        return Node(ref=full, basis="observed", digest=taken.digest, detail=detail, **node)

    def dataset(self, name: str, files: Mapping[str, bytes], version: int = 1, *, keep: bool = True) -> Node:
        """Record a dataset version."""
        node = self.tree(f"dataset:{name}", files, keep=keep, version=str(version))
        self.say("dataset.snapshotted/1", [node], basis="verified")
        return node

    def code(self, files: Mapping[str, bytes], *, commit: str | None = COMMIT, dirty: bool = False) -> Node:
        """Return the node of a source tree."""
        detail = {"commit": commit, "dirty": dirty, "branch": "main"} if commit else {}
        return self.tree("code:risk", files, version=commit, detail=detail)

    def environment(self, packages: Mapping[str, str] = PACKAGES, python: str = "3.12.4") -> Node:
        """Return the node of an environment with its lock file in the store."""
        identity = {"interpreter": {"version": python}, "packages": dict(packages)}
        digest = Digest.of(canonical.encode(identity))
        lock = self.session.objects.put_bytes(canonical.encode(identity))
        detail = {
            "interpreter": {"implementation": "cpython", "version": python, "executable": "/usr/bin/python"},
            "packages": [{"name": name, "version": version} for name, version in sorted(packages.items())],
            "system": {"id": "debian", "version": "12"},
            "objects": {"pylock": str(lock)},
        }
        return Node(ref=f"environment:python@{digest}", basis="observed", digest=digest, detail=detail)

    def run(
        self,
        name: str,
        used: Iterable[Node],
        made: Iterable[Node],
        *,
        parameters: Mapping[str, str] | None = None,
        metrics: Mapping[str, str] | None = None,
        without: Iterable[str] = (),
        gaps: Iterable[Gap] = (),
        **detail: Any,
    ) -> str:
        """Record a run from start to end and return its reference; parts of its detail can be left out by name."""
        used, made = list(used), list(made)
        number = sum(each.startswith(f"run:{name}-") for each in self.runs) + 1
        ref = f"run:{name}-{number}"
        self.runs.append(ref)
        self.say("run.started/1", [Node(ref=ref, basis="observed", detail={"name": name, "state": "started"})])
        whole: dict[str, Any] = {
            "name": name,
            "activity": "training" if metrics else "data processing",
            "argv": ["python", f"{name}.py", *(f"--{key}={value}" for key, value in (parameters or {}).items())],
            "cwd": str(self.folder),
            "state": "finished",
            "exit_status": 0,
            "parameters": {key: {"value": value, "origin": "argv"} for key, value in (parameters or {}).items()},
            "metrics": dict(metrics or {}),
            "seeds": {},
            "environment_variables": {"values": {"OMP_NUM_THREADS": "1"}, "omitted": 3, "redactions": 0},
            "mechanism": "seccomp-notify",
            "complete": True,
            "hardware": {"cpu": "a processor", "cpus": 2},
            **detail,
        }
        for part in without:
            del whole[part]
        edges = [(node.ref, ref, "used") for node in used] + [(ref, node.ref, "generated") for node in made]
        nodes = [Node(ref=ref, basis="observed", detail=whole), *used, *made]
        self.say("run.finished/1", {node.ref: node for node in nodes}.values(), edges, gaps=gaps)
        return ref

    def register(self, file: Node, version: int, *, by: str = "ann", **said: Any) -> Node:
        """Record a model version with the bytes of `file`."""
        model = Node(
            ref=f"model:risk@{file.digest}",
            basis="verified",
            version=str(version),
            digest=file.digest,
            detail={"stored": "object", "path": file.detail["path"], "intended_use": "scoring", **said},
        )
        self.say("model.registered/1", [model], [(file.ref, model.ref, "same_as")], by=by, basis="verified")
        return model

    def decide(self, model: Node, *, by: str = "bob", approve: bool = True) -> None:
        """Record an approval or a rejection."""
        word = "approved" if approve else "rejected"
        detail = {"decision": word, "reason": "looked at it", "by": by}
        run = f"run:approval-{word}-{by}-{model.version}-{self.session.ledger.reader.size()}"
        nodes = [
            Node(ref=model.ref, basis="claimed", digest=model.digest, detail=detail),
            Node(ref=run, basis="claimed", detail={"activity": "approval", **detail}),
        ]
        edges = [(run, model.ref, "approved")] if approve else []
        self.say(f"model.{word}/1", nodes, edges, by=by, basis="claimed")

    def deploy(self, model: Node, number: int, *, model_check: str = "match", **said: Any) -> str:
        """Record a revision of the endpoint ``scorer``, served by some code in some environment."""
        configuration = {"model": model.ref, "digest": str(model.digest), "command": ["python", "serve.py"]}
        endpoint, run = f"endpoint:scorer@{number}", f"run:deploy-{number}"
        around = [self.code({"serve.py": b"serve"}), self.environment()]
        nodes = [
            Node(
                ref=endpoint,
                basis="observed",
                version=str(number),
                digest=Digest.of(canonical.encode(configuration)),
                detail={"model": f"model:risk@{model.version}", "configuration": configuration}
                | {"model_check": model_check, **said},
            ),
            Node(ref=run, basis="observed", detail={"activity": "deployment", "name": "deploy scorer"}),
            *around,
        ]
        edges = [(node.ref, run, "used") for node in (model, *around)]
        self.say("endpoint.deployed/1", nodes, [*edges, (run, endpoint, "deployed")])
        return endpoint

    def publish(self) -> None:
        """Sign what was said so far."""
        self.session.ledger.publish()

    def cycle(self, number: int, *, deploy: bool = True) -> Node:
        """Record one whole life: more data, other code, other parameters with each `number`; return the model."""
        raw = self.dataset("raw", {"a.csv": b"1,2\n" * number, "b.csv": b"3,4\n"}, number)
        source = {"prepare.py": b"prepare", "train.py": b"train %d" % number}
        code = self.code(source, commit=f"{number:040d}", dirty=number > 1)
        environment = self.environment({**PACKAGES, "numpy": f"2.{number}.0"})
        clean = self.file("clean.csv", b"clean %d" % number)
        self.run("prepare", [raw, code, environment], [clean], parameters={"drop": "yes"})
        pickle = self.file("model.pkl", b"model %d" % number)
        parameters = {"lr": f"0.{number}", "depth": "3", **({"extra": "on"} if number > 1 else {})}
        metrics = {"auc": f"0.9{number}", "rows": str(100 * number)}
        self.run("train", [clean, code, environment], [pickle], parameters=parameters, metrics=metrics)
        model = self.register(pickle, number)
        self.decide(model)
        if deploy:
            self.deploy(model, number)
        self.publish()
        return model


@contextmanager
def team_in(folder: Path) -> Iterator[Team]:
    """Give a team with a fresh ledger in `folder`."""
    create(Settings(), folder, "lineal.test/team")
    with open_session(Settings(ledger=str(folder / ".lineal"), actor="ann")) as session:
        yield Team(folder, session)
