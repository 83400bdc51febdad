"""The command `lineal` by the clock of a test: what it takes for the present stands in the file named by TEST_CLOCK."""

import os
import sys
from pathlib import Path

from lineal import wiring
from lineal.cli.main import run


def _now() -> str:
    return Path(os.environ["TEST_CLOCK"]).read_text(encoding="ascii")


if __name__ == "__main__":
    wiring.now = _now
    sys.exit(run())
