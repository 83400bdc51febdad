"""Fixtures for every suite. What they make stands in `kit`, which child processes can import too."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from kit import make_home, open_at
from lineal.ledger.home import Home
from lineal.ledger.log import Ledger
from servers.seaweed import s3_server

__all__ = ["s3_server"]

# The same examples each time, so that a change is judged by what it changed, and on any machine, however slow; new ones
# to find more with `--hypothesis-profile search`, as `make torture` does.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")


# Files that take longest, by what they wait and compute for: they begin first, or one process works alone at the end.
LONG = [
    "test_month", "test_collect_aws_faults", "test_docs", "test_run", "test_collect_aws", "test_collect_cloudtrail",
    "test_sagemaker", "test_month_command_line", "test_example", "test_collect_cloudtrail_resume", "test_demo",
    "test_ledger_crash", "test_ledger_tamper", "test_commands", "test_bucket_snapshot", "test_docs_shell",
    "test_explanation_machine", "test_watch", "test_warm", "test_snapshot_crash", "test_trace_torture",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long first, then those with the most tests."""
    sizes = Counter(item.path for item in items)
    rank = {path: LONG.index(path.stem) if path.stem in LONG else len(LONG) for path in sizes}
    items.sort(key=lambda item: (rank[item.path], -sizes[item.path]))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test after long bytes by their length: several processes must call it the same, whatever time it is."""
    return f"{argname}-of-{len(val)}" if isinstance(val, bytes) and len(val) > 40 else None


@pytest.fixture(scope="session")
def memory_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory, where the system has one: for tests that write much and ask nothing of a disk."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path_factory.mktemp("memory")
        return
    with tempfile.TemporaryDirectory(prefix="lineal-", dir=shared) as folder:
        yield Path(folder)


@pytest.fixture
def memory(memory_root: Path) -> Iterator[Path]:
    """A folder of the test's own in `memory_root`."""
    with tempfile.TemporaryDirectory(dir=memory_root) as folder:
        yield Path(folder)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh embedded ledger, which nobody has open."""
    return make_home(tmp_path / ".lineal")


@pytest.fixture
def ledger(home: Home) -> Iterator[Ledger]:
    """A fresh embedded ledger, open for writing."""
    with open_at(home) as opened:
        yield opened
