"""Tells the story of an example in a process of its own, its commands by a warm process: told_story.py STORY FOLDER."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
CLOUD_PROGRAM = TESTS / "servers" / "cloud_program.py"


def _commands(folder: Path, program: Path | None = None) -> str:
    from servers import warm

    home = {**os.environ, "HOME": str(folder / "home")}
    at = warm.warm(home, modules=("boto3", "botocore.session"), home=True)
    return str(warm.make_command(folder / "bin", at, None if program is None else str(program)))


def main() -> None:
    """Tell it as ``python STORY FOLDER`` does."""
    file, folder = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path[0:0] = [str(file.parent), str(TESTS)]
    story: Any = importlib.import_module("story")
    if hasattr(story, "make_program"):  # its `lineal` goes by the clock of the story
        story.make_program = lambda made: _commands(made.parent, CLOUD_PROGRAM)
    else:
        environment_of = story.environment_of

        def warm_environment_of(*words: Any, **more: str) -> dict[str, str]:
            found: dict[str, str] = environment_of(*words, **more)
            return {**found, "PATH": f"{_commands(folder)}{os.pathsep}{found['PATH']}"}

        story.environment_of = warm_environment_of
    story.tell(folder)


if __name__ == "__main__":
    main()
