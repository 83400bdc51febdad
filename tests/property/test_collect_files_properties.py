"""Folders through time: whatever is written, broken and moved, nothing that may be there is said to be gone."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.app.collect_files import Wanted, collect_files
from lineal.app.session import Session
from lineal.wiring import Settings, create, open_session

FILES = ("a.yaml", "b.yaml", "sub/c.json")
BROKEN = -1
# Of each file: the pods in it with their image, plain words, nothing at all, or what cannot be read.
_PODS = st.dictionaries(st.integers(0, 3), st.integers(1, 2), min_size=1, max_size=3)
_CONTENT = st.none() | st.just(BROKEN) | st.just("plain") | _PODS
_STATE = st.fixed_dictionaries(dict.fromkeys(FILES, _CONTENT))
State = dict[str, object]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    folder = Path(tempfile.mkdtemp())
    how = Settings(ledger=str(folder), actor="tester")
    create(how, folder, None)
    with open_session(how) as opened:
        yield opened
    shutil.rmtree(folder)


def _write(root: Path, state: State) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, content in state.items():
        file = root / name
        file.parent.mkdir(exist_ok=True)
        if content == BROKEN:
            file.write_text("{")
        elif content == "plain":
            file.write_text('{"just": "words"}')
        elif isinstance(content, dict):
            pods = [
                {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{pod}"}, "spec": {"image": f"i:{image}"}}
                for pod, image in content.items()
            ]
            file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))


def _defined(state: State) -> dict[str, list[int]]:
    """Return the images of each pod, one for each file that defines it."""
    found: dict[str, list[int]] = {}
    for content in state.values():
        if isinstance(content, dict):
            for pod, image in content.items():
                found.setdefault(f"p{pod}", []).append(image)
    return found


class _Naive:
    """What must be known after each look: kept as simply as can be."""

    def __init__(self) -> None:
        self.pods: dict[str, int] = {}
        self.plain: set[str] = set()

    def look(self, state: State) -> None:
        defined = _defined(state)
        broken = {name for name, content in state.items() if content == BROKEN}
        plain = {name for name, content in state.items() if content == "plain"}
        if not any(content is not None for content in state.values()):
            return  # nothing at all is left: nothing is said
        if not broken:
            self.pods = {pod: image for pod, image in self.pods.items() if pod in defined}
        self.pods.update({pod: images[0] for pod, images in defined.items() if len(images) == 1})
        self.plain = plain | (self.plain & broken)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(states=st.lists(_STATE, min_size=1, max_size=5))
def test_the_estate_is_what_a_naive_twin_says(session: Session, states: list[State]) -> None:
    root = Path(tempfile.mkdtemp()) / "root"
    twin = _Naive()
    cluster = root.parent.name  # of its own, each time
    try:
        for state in states:
            _write(root, state)
            collect_files(session, root, Wanted(cluster=cluster, name=cluster))
            twin.look(state)
            pods = session.configuration.estate(account=cluster)
            found = {
                item.resource.name: item.configuration["spec"]["image"]
                for item in pods.values()
                if item.shape == "kubernetes"
            }
            assert found == {pod: f"i:{image}" for pod, image in twin.pods.items()}
            assert {item.resource.name for item in pods.values() if item.shape == "file"} == twin.plain
            assert collect_files(session, root, Wanted(cluster=cluster, name=cluster)).recorded == 0
    finally:
        shutil.rmtree(root.parent)
