"""Real interpreters, asked from outside; packages made by hand where their installer matters."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from kit import until
from lineal.capture.environment import Environment, read_environment, read_gpus
from lineal.capture.interpreter import Package, find_interpreter, normal_name
from lineal.capture.pylock import lock_text
from lineal.core import canonical
from lineal.core.observation import Gap
from lineal.program import MISSING, TIMED_OUT, TOO_LONG, run_program, run_programs

ENV = {"PATH": os.environ.get("PATH", os.defpath)}


def install(
    site: Path, name: str, *, record: str | None, version: str = "1.0", direct_url: dict[str, object] | None = None
) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: not-this\n")
    if record is not None:
        (folder / "RECORD").write_text(record)
    if direct_url is not None:
        (folder / "direct_url.json").write_text(json.dumps(direct_url))


def read(site: Path, argv: list[str] | None = None) -> Environment:
    found = read_environment(argv or [sys.executable, "x.py"], cwd=site.parent, env={**ENV, "PYTHONPATH": str(site)})
    canonical.encode(found.describe())
    return found


def package(environment: Environment, name: str) -> Package:
    return next(each for each in environment.packages if each.name == name)


def test_the_interpreter_and_its_packages(tmp_path: Path) -> None:
    found = read(tmp_path / "site")
    assert found.interpreter is not None
    assert found.interpreter.version == ".".join(str(part) for part in sys.version_info[:3])
    assert found.interpreter.build == sys.version
    assert Path(found.interpreter.prefix) == Path(sys.prefix)
    assert os.fsencode(sys.base_prefix) in found.prefixes
    # As a command-line program sees them: this process may have more folders on its path.
    here = {
        normal_name(each.metadata["Name"]): each.version
        for each in metadata.distributions(path=[sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    }
    there = {each.name: each.version for each in found.packages}
    assert here.items() <= there.items()


def test_the_record_digest_is_the_same_whichever_installer_wrote_it(tmp_path: Path) -> None:
    common = "tool/__init__.py,sha256=abc,10\ntool/data.bin,sha256=def,20\n"
    by_pip = (
        "../../../bin/tool,sha256=xyz,200\ntool-1.0.dist-info/INSTALLER,sha256=pip,4\n"
        f"tool-1.0.dist-info/RECORD,,\ntool-1.0.dist-info/REQUESTED,,\n{common}tool/__pycache__/__init__.cpython-311.pyc,,\n"
    )  # fmt: skip
    by_uv = (
        "tool/data.bin,sha256=def,20\r\ntool/__init__.py,sha256=abc,10\r\ntool-1.0.dist-info/INSTALLER,sha256=uv,2\r\n"
        "tool-1.0.dist-info/uv_cache.json,sha256=q,2\r\ntool-1.0.dist-info/direct_url.json,sha256=q,2\r\n"
        "tool-1.0.dist-info/RECORD,,\r\n"
    )
    altered = common.replace("abc", "abd")
    for folder, record in (("pip", by_pip), ("uv", by_uv), ("altered", altered)):
        install(tmp_path / folder / "site", "tool", record=record)
    pip, uv, other = (read(tmp_path / folder / "site") for folder in ("pip", "uv", "altered"))
    assert package(pip, "tool").record == package(uv, "tool").record
    assert pip.digest == uv.digest
    assert package(other, "tool").record != package(pip, "tool").record
    assert other.digest != pip.digest


def test_the_identity_holds_nothing_of_the_host(tmp_path: Path) -> None:
    install(tmp_path / "a" / "site", "tool", record="x,sha256=a,1\n")
    install(tmp_path / "b" / "site", "tool", record="x,sha256=a,1\n")
    first = read(tmp_path / "a" / "site")
    second = read_environment(
        [sys.executable], cwd=tmp_path, env={**ENV, "PYTHONPATH": str(tmp_path / "b/site"), "OMP_NUM_THREADS": "3"}
    )
    assert second.threads == {"OMP_NUM_THREADS": "3"}
    assert first.digest == second.digest
    text = canonical.encode(first.identity).decode()
    assert os.uname().nodename not in text or len(os.uname().nodename) < 4
    assert str(tmp_path) not in text


def test_packages_that_come_from_no_index(tmp_path: Path) -> None:
    site = tmp_path / "site"
    vcs = {
        "url": "https://ada:pw@h/a/b.git",
        "vcs_info": {"vcs": "git", "commit_id": "c" * 40, "requested_revision": "v1"},
    }
    install(site, "From_Git", record="x,,\n", direct_url=vcs)
    install(site, "linked", record="y,,\n", direct_url={"url": "file:///src/linked", "dir_info": {"editable": True}})
    archive = {"url": "https://h/z.whl", "archive_info": {"hashes": {"sha256": "d" * 64}}}
    install(site, "archive", record="z,,\n", direct_url=archive)
    install(site, "bare", record=None)
    found = read(site)
    assert package(found, "from-git").direct_url == {"url": "https://h/a/b.git", "vcs_info": vcs["vcs_info"]}
    assert package(found, "linked").is_editable
    assert {gap.code: gap.about for gap in found.gaps if gap.code == "environment.no_record"}["environment.no_record"]
    assert "linked" in {gap.code: str(gap.about) for gap in found.gaps}["environment.editable"]
    lock = tomllib.loads(lock_text(found))
    listed = {each["name"]: each for each in lock["packages"]}
    assert lock["lock-version"] == "1.0"
    assert listed["from-git"]["vcs"]["commit-id"] == "c" * 40
    assert listed["linked"]["directory"] == {"path": "/src/linked", "editable": True}
    assert listed["archive"]["archive"]["hashes"] == {"sha256": "d" * 64}
    assert listed["archive"]["tool"]["lineal"]["record"] == f"sha256:{package(found, 'archive').record}"
    assert listed["bare"] == {"name": "bare", "version": "1.0"}


def test_a_module_beside_the_program_does_not_disturb_the_probe(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    (site / "sitecustomize.py").write_text("print('hello from the site')")
    assert read(site).interpreter is not None


@pytest.mark.parametrize("first_line", ["#!{python}", "#!/usr/bin/env {name}", "#!/usr/bin/env -S {name} -u"])
def test_scripts_name_their_interpreter(tmp_path: Path, first_line: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    script = tmp_path / "tool"
    script.write_text(first_line.format(python=folder / "python3", name="python3") + "\nprint()\n")
    script.chmod(0o755)
    env = {"PATH": str(folder)}
    assert find_interpreter(["./tool"], cwd=tmp_path, env=env) == str(folder / "python3")
    assert find_interpreter([str(script)], cwd=Path("/"), env=env) == str(folder / "python3")


def test_the_long_first_line_of_an_installed_script(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text(f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\nprint()\n")
    script.chmod(0o755)
    assert find_interpreter([str(script)], cwd=tmp_path, env=ENV) == sys.executable


def test_a_program_that_is_no_python_is_a_gap_unless_it_ran_one(tmp_path: Path) -> None:
    found = read(tmp_path / "site", ["sh", "train.sh"])
    assert (found.interpreter, found.packages) == (None, ())
    assert [gap.code for gap in found.gaps] == ["environment.interpreter"]
    seen = read_environment(["sh", "x"], cwd=tmp_path, env=ENV, executed=[b"/bin/sh", os.fsencode(sys.executable)])
    assert seen.interpreter is not None


def test_an_interpreter_that_does_not_answer_is_a_gap(tmp_path: Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    fake.chmod(0o755)
    found = read_environment([str(fake)], cwd=tmp_path, env=ENV)
    assert found.interpreter is None
    assert "broken" in found.gaps[0].explanation
    fake.write_text("#!/bin/sh\necho '{\"version\": 3}'\n")
    assert read_environment([str(fake)], cwd=tmp_path, env=ENV).gaps[0].code == "environment.interpreter"


def test_gpus_are_those_that_nvidia_smi_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineal.capture.environment.GPU_TIMEOUT", 300.0)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA A10G, GPU-1f2e, 550.54.15, 23028'\n")
    tool.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{ENV['PATH']}"}
    gaps: list[Gap] = []
    (gpu,) = read_gpus(env, gaps)
    assert gpu.describe() == {"model": "NVIDIA A10G", "uuid": "GPU-1f2e", "driver": "550.54.15", "memory_mib": "23028"}
    tool.write_text("#!/bin/sh\necho 'no devices' >&2; exit 9\n")
    assert read_gpus(env, gaps) == ()
    assert [gap.code for gap in gaps] == ["environment.gpu"]


def test_programs_are_bounded_in_time_and_size(tmp_path: Path) -> None:
    slow = "sleep 60 & echo started; wait"
    missing, stopped = run_programs([["no-such-program"], ["sh", "-c", slow]], cwd=tmp_path, env=ENV, timeout=0.5)
    assert (missing.failure, stopped.failure) == (MISSING, TIMED_OUT)
    ended = run_program(["sh", "-c", "echo out; echo err >&2; exit 7"], cwd=tmp_path, env=ENV, timeout=300)
    assert (ended.status, ended.stdout, ended.complaint) == (7, b"out\n", "err")
    flood = run_program(
        ["sh", "-c", "while :; do echo yyyyyyyy; done"], cwd=tmp_path, env=ENV, timeout=300, limit=10_000
    )
    assert (flood.failure, flood.stdout) == (TOO_LONG, b"")


def test_a_program_that_is_stopped_takes_its_children_along(tmp_path: Path) -> None:
    for timeout in (0.5, 5.0, 60.0):  # until it lives long enough to have a child
        run_program(
            ["sh", "-c", "sleep 600 & echo $! > kid; mv kid child; wait"], cwd=tmp_path, env=ENV, timeout=timeout
        )
        if (tmp_path / "child").exists():
            break
    child = (tmp_path / "child").read_text().strip()

    def state() -> str:
        asked = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False)
        return asked.stdout.strip()[:1]

    until(lambda: state() in ("", "Z"), "the child ends")
