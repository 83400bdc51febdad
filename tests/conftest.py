"""Fixtures for every suite. What they make stands in `kit`, which child processes can import too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import make_home, open_at
from lineal.ledger.home import Home
from lineal.ledger.log import Ledger


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh embedded ledger, which nobody has open."""
    return make_home(tmp_path / ".lineal")


@pytest.fixture
def ledger(home: Home) -> Iterator[Ledger]:
    """A fresh embedded ledger, open for writing."""
    with open_at(home) as opened:
        yield opened
