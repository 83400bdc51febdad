"""Changes in production, and what Lineal says of each: allowed, done by somebody without a ticket, or by nobody at all.

python examples/change-control/story.py [FOLDER]    FOLDER must not exist; without it, a temporary one is used

moto plays AWS, and a wrapper around it plays CloudTrail: its records, log files and signed digests are synthetic. Two
days pass in a minute: `lineal` goes by the clock of the story.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from production import BUCKET, ENDPOINT, PIPELINE, PROJECT, ROOT, Production, open_production

_ENDPOINT: Final = f"AWS::SageMaker::Endpoint/{ENDPOINT}"
_PROJECT: Final = f"AWS::CodeBuild::Project/{PROJECT}"


@dataclass(slots=True)
class Watcher:
    """Whoever types the commands of Lineal."""

    folder: Path
    environment: dict[str, str]

    def type(self, *words: str, expect: int = 0) -> str:
        """Run a command as a person would; print it and what it prints; return that."""
        print(f"\n$ {shlex.join(words)}", flush=True)
        done = subprocess.run(words, cwd=self.folder, env=self.environment, text=True, capture_output=True, check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        if done.returncode != expect:
            sys.exit(f"`{shlex.join(words)}` ended with {done.returncode}, not {expect}")
        return done.stdout

    def look(self) -> None:
        """Record what is there."""
        self.type("lineal", "collect", "aws", "--quiet")

    def listen(self) -> None:
        """Record what the trail tells of it."""
        self.type("lineal", "collect", "cloudtrail", f"s3://{BUCKET}")


def make_program(folder: Path) -> str:
    """Make a command `lineal` that goes by the clock of the story; return the folder it is in."""
    program = ROOT / "tests" / "servers" / "cloud_program.py"
    folder.mkdir()
    made = folder / "lineal"
    made.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(program))} "$@"\n')
    made.chmod(0o755)
    return str(folder)


def tell(folder: Path) -> None:
    """Tell the whole story in `folder`."""
    for each in (folder / "home", folder / "watch"):
        each.mkdir(parents=True)
    with open_production() as production:
        production.trail.clock.tell(folder / "clock")
        environment = {
            **os.environ,
            **production.trail.moto.environment(),
            "HOME": str(folder / "home"),
            "LINEAL_ACTOR": "watch@bank.example",
            "AWS_MAX_ATTEMPTS": "2",  # moto answers what it has not with an error that would be tried again
            "TEST_CLOCK": str(folder / "clock"),
            "PATH": f"{make_program(folder / 'bin')}{os.pathsep}{os.environ['PATH']}",
        }
        watcher = Watcher(folder / "watch", environment)
        production.set_up()
        production.wait(1)
        watcher.type("lineal", "init")
        watcher.type("lineal", "collect", "aws")
        tell_what_changes(watcher, production)
        tell_of_the_trail(watcher, production)
        watcher.type("lineal", "check", "--severity", "critical", expect=1)
        watcher.type("lineal", "verify")


def tell_what_changes(watcher: Watcher, production: Production) -> None:
    """Monday: a release, a hot fix, a trial that is put back, a change that no trail tells of, and autoscaling."""
    production.wait(2)
    watcher.type(
        "lineal", "approve", "change", _ENDPOINT, "AWS::SageMaker::*/risk-2", "--ticket", "CHG-1042",
        "--reason", "release 2, retrained in October", "--principal", "*deploy", "--from", "2026-10-05T09:00:00Z",
        "--to", "2026-10-05T12:00:00Z", "--requested-by", "ci@bank.example", "--as", "bo@bank.example",
    )  # fmt: skip
    production.wait(0.5)
    production.deploy()
    production.wait(0.5)
    production.change_and_put_back()
    production.fix_in_the_console()
    production.change_behind_the_trail()
    production.wait(1)
    watcher.look()
    production.wait(1)
    production.scale()
    production.wait(1)
    watcher.look()
    production.wait(2)
    watcher.listen()
    watcher.type("lineal", "explain", "--exit-code", expect=1)
    watcher.type("lineal", "explain", f"AWS::CodePipeline::Pipeline/{PIPELINE}")
    watcher.type("lineal", "timeline", _ENDPOINT, "--diff", "--no-follow")
    watcher.type("lineal", "diff", "--at", "2026-10-05T09:00:00Z", "--at", "2026-10-05T15:00:00Z")


def tell_of_the_trail(watcher: Watcher, production: Production) -> None:
    """Tuesday: the trail is switched off for an hour, and the hot fix gets its ticket."""
    production.wait(18)
    watcher.look()
    production.widen_while_nobody_listens()
    production.wait(1)
    watcher.look()
    production.wait(3)
    watcher.listen()
    watcher.type("lineal", "explain", "AWS::IAM::Role/runner")
    watcher.type(
        "lineal", "approve", "change", _PROJECT, "--ticket", "CHG-1050", "--reason", "hot fix, seen afterwards",
        "--principal", "eve", "--from", "2026-10-05T00:00:00Z", "--to", "2026-10-06T00:00:00Z", "--retroactive",
        "--requested-by", "eve@bank.example", "--as", "bo@bank.example",
    )  # fmt: skip
    watcher.type("lineal", "explain", _PROJECT)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        tell(Path(sys.argv[1]).absolute())
    else:
        with tempfile.TemporaryDirectory(prefix="lineal-example-") as made:
            tell(Path(made))
