"""`lineal run`: the command as it would have run without us, and what is on record of it afterwards."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from commandline import LINEAL, PYTHON, Place, killed_by, make_place

import lineal
from lineal.app.listing import Shown
from lineal.cli import main
from lineal.core.digest import Digest
from lineal.core.path import unspell
from lineal.datasets.restore import restore


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def shown(place: Place, ref: str) -> Shown:
    with lineal.open(str(place.folder)) as client:
        return client.show(ref)


def detail(place: Place, ref: str) -> dict[str, Any]:
    return shown(place, ref).view.detail


def runs(place: Place) -> list[dict[str, Any]]:
    with lineal.open(str(place.folder)) as client:
        return [{"ref": view.ref, **view.detail} for view in client.session.catalog.all_nodes("run")]


def joined(place: Place, ref: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return what edges of type `kind` join with a run, by name without the version."""
    with lineal.open(str(place.folder)) as client:
        catalog = client.session.catalog
        view = catalog.resolve(ref)
        ends = {end for s, t, k in catalog.edges_of(view.id) if k == kind for end in (s, t)} - {view.id}
        views = catalog.views(ends).values()
        return {f"{each.kind}:{each.name}": {"digest": each.digest, **each.detail} for each in views}


def stored(place: Place, digest: str) -> bytes:
    with lineal.open(str(place.folder)) as client:
        return client.session.objects.read(Digest.parse(digest))


def codes(done_or_gaps: Any) -> list[str]:
    return [gap["code"] for gap in done_or_gaps["gaps"]]


# What the program is and says


def test_the_exit_status_is_the_programs_own(place: Place) -> None:
    (place.folder / "plain").write_text("no program")
    for command, status, number in (
        (("true",), 0, None),
        (("sh", "-c", "exit 3"), 3, None),
        (("sh", "-c", "kill -KILL $$"), killed_by(signal.SIGKILL), 9),
        (("sh", "-c", "kill -TERM $$"), killed_by(signal.SIGTERM), 15),
        (("./plain",), 126, None),
        (("no-such-program",), 127, None),
    ):
        done = place.run(*command)
        said = done.last()
        assert (done.status, said["exit_status"]) == (status, status), command
        found = detail(place, said["run"])
        assert (found["exit_status"], found["signal"]) == (status, number)
        assert found["state"] == ("finished" if status == 0 else "failed")


def test_bytes_pass_both_ways_unchanged(place: Place) -> None:
    given = bytes(range(256)) * 700
    program = "import sys; b = sys.stdin.buffer.read(); sys.stdout.buffer.write(b); sys.stderr.buffer.write(b[::-1])"
    done = place.do(*LINEAL, "run", "-q", "--", PYTHON, "-c", program, given=given)
    assert done.status == 0
    assert done.out == given
    assert done.err.encode("utf-8", "surrogateescape") == given[::-1]
    found = runs(place)[0]
    assert found["printed"] == {"stdout": len(given), "stderr": len(given)}
    assert stored(place, found["objects"]["stdout"]) == given[-65536:]


def test_the_summary_is_a_line_of_its_own_even_after_a_half_line(place: Place) -> None:
    done = place.run("printf", "no line end")
    assert done.out.startswith(b"no line end\n{")
    assert done.last()["exit_status"] == 0


def test_interrupt_ends_the_program_and_the_run_is_recorded(place: Place) -> None:
    place.script("wait.py", "import time\nprint('ready', flush=True)\ntime.sleep(600)\n")
    process = place.start(
        *LINEAL, "run", "--json", "--", PYTHON, "wait.py",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=900)
    assert process.returncode == killed_by(signal.SIGINT)
    found = detail(place, json.loads(out)["run"])
    assert (found["exit_status"], found["signal"], found["state"]) == (130, 2, "failed")


def test_a_terminated_lineal_passes_the_signal_on(place: Place) -> None:
    place.script("wait.py", "import time\nprint('ready', flush=True)\ntime.sleep(600)\n")
    process = place.start(*LINEAL, "run", "--json", "--", PYTHON, "wait.py", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    out, _ = process.communicate(timeout=900)
    assert process.returncode == killed_by(signal.SIGTERM)
    assert detail(place, json.loads(out)["run"])["signal"] == signal.SIGTERM


def test_a_program_that_leaves_a_daemon_behind_returns_and_is_a_gap(place: Place) -> None:
    done = place.run("sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!; exit 4")
    os.kill(int(done.out.split(b"\n")[0]), signal.SIGKILL)
    assert done.status == 4
    assert "capture.left_running" in codes(done.last())


def test_nobody_reading_the_output_does_not_change_the_status(place: Place) -> None:
    script = f"{PYTHON} -m lineal run --json -- sh -c 'exit 5' | true; echo ${{PIPESTATUS[0]}}"
    assert place.do("bash", "-c", script).out == b"5\n"
    full = place.do("sh", "-c", f"{PYTHON} -m lineal run --json -- sh -c 'exit 6' > /dev/full; echo $?")
    assert full.out == b"6\n"


# What is refused before anything is run


def test_what_is_wrong_is_said_before_anything_is_run_or_recorded(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    (place.folder / "bad.json").write_text("{")
    touch = ("touch", "ran")
    for options, env in (
        (("--trace", "magic"), None),
        ((), {"LINEAL_TRACE": "magic"}),
        (("--input", "missing"), None),
        (("--params", "missing.yaml"), None),
        (("--params", "bad.json"), None),
        (("--name", "a\x1b[2Jb"), None),
        (("--name", "n" * 300), None),
        (("--as", "two\nlines"), None),
        (("--ledger", "nowhere"), None),
        (("--keep", "-1"), None),
    ):
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            assert main.run(["run", "--json", *options, "--", *touch]) == 2, options
        assert set(json.loads(capsys.readouterr().out)["error"]) == {"code", "message", "fix"}
    assert main.run(["run", "--"]) == 2
    assert not (place.folder / "ran").exists()
    assert runs(place) == []


def test_a_ledger_that_cannot_be_written_is_refused_before_anything_is_run(place: Place) -> None:
    (place.folder / ".lineal" / "keys").rename(place.folder / "away")
    done = place.run("touch", "ran")
    assert (done.status, done.json()["error"]["code"]) == (11, "store.read_only")
    (place.folder / "away").rename(place.folder / ".lineal" / "keys")
    (place.folder / ".lineal" / "spool").rename(place.folder / "gone")
    done = place.run("touch", "ran")
    assert (done.status, done.json()["error"]["code"]) == (11, "store.unavailable")
    assert not (place.folder / "ran").exists()


# What fails afterwards


def test_a_disk_that_fills_up_during_the_run_leaves_the_status_and_the_start(place: Place) -> None:
    # The program takes from Lineal (its parent) the right to write files: what a full disk does, to one process.
    place.script(
        "fill.py",
        "import os, resource, sys\nresource.prlimit(os.getppid(), resource.RLIMIT_FSIZE, (0, 0))\n"
        "open('out.bin', 'wb').write(b'x' * 100000)\nsys.exit(7)\n",
    )
    done = place.run(PYTHON, "fill.py")
    assert done.status == 7
    said = done.last()
    assert "NOT fully recorded" in done.err
    assert "NOT fully recorded" in said["error"]["message"]
    assert "Traceback" not in done.err
    assert detail(place, said["run"])["state"] == "started"
    assert place.within("verify").status == 0


def test_a_program_that_removes_the_ledger_keeps_its_status(place: Place) -> None:
    done = place.run("sh", "-c", "rm -r .lineal; exit 9")
    assert done.status == 9
    assert "NOT fully recorded" in done.err
    assert "Traceback" not in done.err


def test_files_named_by_hand_that_the_program_spoils_are_gaps(place: Place) -> None:
    (place.folder / "p.json").write_text('{"lr": 1}')
    (place.folder / "m.json").write_text("{}")
    spoil = "head -c 100 /dev/urandom > m.json; echo '{' > p.json"
    options = ("--params", "p.json", "--metrics", "m.json", "--output", "never")
    done = place.run("sh", "-c", spoil, options=options)
    assert {"parameters.file", "metrics.file", "run.output_missing"} <= set(codes(done.last()))
    gone = place.run("rm", "m.json", "p.json", options=("--metrics", "m.json"))
    assert "metrics.missing" in codes(gone.last())


# Where it ran


def test_the_code_is_a_version_by_commit_and_by_content(place: Place, tmp_path: Path) -> None:
    work = place.folder
    (work / "pkg").mkdir()
    place.script("pkg/part.py", "VALUE = 1\n")
    place.script("train.py", "from pkg import part\nimport extra\nprint(part.VALUE)\n")
    place.script("extra.py", "")
    place.git("init", "-q", "-b", "main")
    assert detail_of_code(place, place.run(PYTHON, "extra.py").last()["run"]).get("commit") is None
    commit = place.repository()

    clean = detail_of_code(place, place.run(PYTHON, "train.py").last()["run"])
    assert (clean["commit"], clean["dirty"], clean["branch"]) == (commit, False, "main")
    assert "objects" not in clean
    assert tree(place, clean["digest"], tmp_path / "clean") == {
        "pkg/part.py": "VALUE = 1\n",
        "train.py": "from pkg import part\nimport extra\nprint(part.VALUE)\n",
        "extra.py": "",
    }

    place.script("pkg/part.py", "VALUE = 2\n")
    place.script("new.py", "N = 1\n")
    place.script("train.py", "from pkg import part\nimport new\nprint(part.VALUE)\n")
    dirty = detail_of_code(place, place.run(PYTHON, "train.py").last()["run"])
    assert (dirty["commit"], dirty["dirty"]) == (commit, True)
    kept = tree(place, dirty["digest"], tmp_path / "dirty")
    assert (kept["pkg/part.py"], kept["new.py"]) == ("VALUE = 2\n", "N = 1\n")
    patch = tmp_path / "p.patch"
    patch.write_bytes(stored(place, dirty["objects"]["patch"]))
    place.git("stash", "-q")
    place.git("apply", str(patch))
    assert (work / "pkg/part.py").read_text() == "VALUE = 2\n"

    place.git("checkout", "-q", "-f", "--detach", "HEAD")
    detached = detail(place, place.run("true").last()["run"])["git"]
    assert (detached["commit"], detached["branch"]) == (commit, None)


def detail_of_code(place: Place, run: str) -> dict[str, Any]:
    found = [each for name, each in joined(place, run, "used").items() if name.startswith("code:")]
    return found[0] if found else {}


def tree(place: Place, digest: str, target: Path) -> dict[str, str]:
    with lineal.open(str(place.folder)) as client:
        restore(Digest.parse(digest), client.session.objects, target)
    return {str(file.relative_to(target)): file.read_text() for file in target.rglob("*") if file.is_file()}


def test_outside_git_the_script_is_kept_and_the_gap_said(place: Place, tmp_path: Path) -> None:
    place.script("train.py", "import helper\n")
    place.script("helper.py", "A = 1\n")
    said = place.run(PYTHON, "train.py").last()
    assert "code.no_git" in codes(said)
    found = detail_of_code(place, said["run"])
    assert tree(place, found["digest"], tmp_path / "t") == {"train.py": "import helper\n", "helper.py": "A = 1\n"}


def test_without_git_installed_or_with_a_damaged_repository_it_still_runs(place: Place, tmp_path: Path) -> None:
    place.script("a.py", "1\n")
    place.repository()
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python").symlink_to(PYTHON)
    done = place.run(PYTHON, "a.py", env={"PATH": str(bare)})
    assert done.status == 0
    assert any(code.startswith("git.") for code in codes(done.last()))
    for file in (place.folder / ".git" / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(b"garbage")
    damaged = place.run(PYTHON, "a.py")
    assert damaged.status == 0
    assert any(code.startswith("git.") for code in codes(damaged.last()))


# What it ran with


def test_parameters_metrics_and_seeds(place: Place) -> None:
    (place.folder / "params.yaml").write_text("model:\n  depth: 3\n  lr: 0.25\nseed: 11\n")
    place.script(
        "train.py",
        "import json\nopen('params.yaml').read()\n"
        "json.dump({'auc': 0.5, 'deep': {'f1': 1}}, open('metrics.json', 'w'))\n",
    )
    found = detail(place, place.run(PYTHON, "train.py", "--epochs", "5", "--alpha=0.1").last()["run"])
    values = {name: each["value"] for name, each in found["parameters"].items()}
    assert values["epochs"] == "5"
    assert values["alpha"] == "0.1"
    assert values["model.depth"] == "3"
    assert values["model.lr"] == "0.25"
    assert found["seeds"] == {"seed": "11"}
    assert {name: float(value) for name, value in found["metrics"].items()} == {"auc": 0.5, "deep.f1": 1}
    assert found["activity"] == "training"


def test_inside_sagemaker_the_hyperparameters_are_those_of_the_job(place: Place, tmp_path: Path) -> None:
    config = tmp_path / "ml" / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text('{"max_depth": "6", "api_key": "hunter2hunter2"}')
    (config / "resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1"]}')
    (config / "inputdataconfig.json").write_text('{"train": {"TrainingInputMode": "File"}}')
    job = {"SAGEMAKER_BASE_DIR": str(tmp_path / "ml"), "TRAINING_JOB_NAME": "job-7"}
    found = detail(place, place.run("true", env=job).last()["run"])
    assert found["parameters"]["max_depth"]["value"] == "6"
    assert found["sagemaker"]["name"] == "job-7"
    assert found["sagemaker"]["channels"] == {"train": {"TrainingInputMode": "File"}}
    assert "hunter2" not in json.dumps(found)


def test_a_run_inside_a_run_names_its_parent(place: Place) -> None:
    done = place.run(*LINEAL, "run", "-q", "--name", "inner", "--", "true", options=("--name", "outer"))
    assert done.status == 0, done.err
    by_name = {each["name"]: each for each in runs(place)}
    assert by_name["inner"]["parent"] == done.last()["run"]
    assert by_name["inner"]["state"] == by_name["outer"]["state"] == "finished"
    hostile = place.run("true", env={"LINEAL_RUN": "no\x1b[31m run"}, options=("--name", "orphan"))
    assert hostile.status == 0
    assert "parent" not in detail(place, hostile.last()["run"])
    assert place.do(b"env", b"LINEAL_RUN=\xff", *map(os.fsencode, (*LINEAL, "run", "true"))).status == 0


# What it read and wrote


@pytest.mark.parametrize("mechanism", ["seccomp-notify", "ptrace", "audit-hook", "none"])
def test_each_way_to_trace(place: Place, mechanism: str) -> None:
    (place.folder / "in.csv").write_text("1")
    place.script("copy.py", "open('out.csv', 'w').write(open('in.csv').read())\n")
    done = place.run(PYTHON, "copy.py", options=("--trace", mechanism))
    assert done.status == 0
    said = done.last()
    if said["mechanism"] != mechanism:
        assert "capture.fallback" in codes(said)
        pytest.skip(f"{mechanism} cannot be had here")
    if mechanism == "none":
        assert "capture.not_traced" in codes(said)
        assert (said["inputs"], said["outputs"]) == (0, 0)
        said = place.run(
            PYTHON, "copy.py", options=("--trace", "none", "--input", "in.csv", "--output", "out.csv")
        ).last()
    assert "file:in.csv" in joined(place, said["run"], "used")
    assert "file:out.csv" in joined(place, said["run"], "generated")


def test_inputs_are_matched_with_what_is_on_record(place: Place) -> None:
    work = place.folder
    (work / "data").mkdir()
    for number in range(3):
        (work / "data" / f"{number}.csv").write_text(f"row {number}\n")
    (work / "one.csv").write_text("alone\n")
    for name, path in (("many", "../work/./data"), ("one", "one.csv")):
        assert place.lineal("snapshot", f"dataset:{name}", path, "-q").status == 0
    reading = "import sys\nfor name in sys.argv[1:]: open(name, 'rb').read()\n"
    place.script("read.py", reading)

    def used(*names: str | bytes) -> set[str]:
        found = joined(place, place.run(PYTHON, "read.py", *names).last()["run"], "used")
        return {name for name in found if not name.startswith(("code:", "environment:", "container:"))}

    assert used("data/0.csv", "data/1.csv", "data/2.csv", "one.csv") == {"dataset:many", "dataset:one"}
    (work / "data" / "1.csv").write_text("changed\n")
    assert used("data/0.csv", "data/1.csv") == {"dataset:many", "file:data/1.csv"}
    (work / "moved").mkdir()
    (work / "one.csv").rename(work / "moved" / "uno.csv")
    assert used("moved/uno.csv") == {"dataset:one"}, "the same bytes, wherever they lie"
    (work / "data" / "1.csv").rename(work / "moved" / "b.csv")
    assert used("moved/b.csv") == {"file:moved/b.csv"}
    same = shown(place, "file:moved/b.csv").edges
    assert any(kind == "same_as" and source.startswith("file:data/1.csv") for source, _, kind in same)


def test_very_many_files_are_one_folder(place: Place, tmp_path: Path) -> None:
    (place.folder / "in").mkdir()
    for number in range(501):
        (place.folder / "in" / f"{number:03}").write_text(str(number))
    place.script(
        "many.py",
        "import os\nos.mkdir('out')\n"
        "for n in os.listdir('in'):\n  open('out/' + n, 'w').write(open('in/' + n).read())\n",
    )
    said = place.run(PYTHON, "many.py").last()
    assert (said["inputs"], said["outputs"]) == (501, 501)
    used, made = joined(place, said["run"], "used"), joined(place, said["run"], "generated")
    assert used["file:in"]["files"] == made["file:out"]["files"] == 501
    assert (used["file:in"]["stored"], made["file:out"]["stored"]) == ("manifest", "dataset")
    assert tree(place, made["file:out"]["digest"], tmp_path / "t")["007"] == "7"


def test_a_registered_model_that_is_read_is_used_as_such(place: Place) -> None:
    (place.folder / "m.bin").write_bytes(b"weights")
    assert place.within("register", "model:m", "m.bin", "-q").status == 0
    assert "model:m" in joined(place, place.run("cat", "m.bin").last()["run"], "used")


def test_outputs_are_kept_up_to_the_limit(place: Place) -> None:
    place.script("write.py", "open('small.bin', 'wb').write(b's')\nopen('large.bin', 'wb').write(bytes(2 << 20))\n")
    said = place.run(PYTHON, "write.py", options=("--keep", "1")).last()
    made = joined(place, said["run"], "generated")
    assert made["file:small.bin"]["stored"] == "object"
    assert "stored" not in made["file:large.bin"]
    assert made["file:large.bin"]["digest"] == str(Digest.of(bytes(2 << 20)))
    assert "run.not_kept" in codes(said)
    place.script("write.py", "open('small.bin', 'wb').write(b'another')\n")
    none = joined(place, place.run(PYTHON, "write.py", options=("--keep", "0")).last()["run"], "generated")
    assert not any("stored" in each for each in none.values())


def test_files_of_every_sort(place: Place) -> None:
    work = place.folder
    (work / "gone").symlink_to("nowhere")
    os.mkfifo(work / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(work)
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    (work / "both.csv").write_text("before")
    (work / os.fsdecode(b"n\xffm \n")).write_text("odd")
    place.script(
        "odd.py",
        "import os, contextlib\n"
        "with contextlib.suppress(OSError): open('gone')\n"
        "open(b'n\\xffm \\n').read()\n"
        "text = open('both.csv').read()\nopen('both.csv', 'w').write('after')\n"
        "open(b'o\\xfe', 'w').write('x')\nopen('brief', 'w').write('x')\nos.remove('brief')\n"
        "open('empty', 'w')\n",
    )
    options = ("--input", "fifo", "--input", "socket", "--output", "gone", "--output", ".")
    done = place.run(PYTHON, "odd.py", options=options[:6])
    assert done.status == 0, done.err
    said = done.last()
    assert codes(said).count("run.file.special") == 3
    used, made = joined(place, said["run"], "used"), joined(place, said["run"], "generated")
    assert {unspell(name.removeprefix("file:")) for name in used if name.startswith("file:")} >= {b"n\xffm \n"}
    assert {unspell(name.removeprefix("file:")) for name in made} == {b"both.csv", b"o\xfe", b"empty"}
    assert made["file:both.csv"]["digest"] == str(Digest.of(b"after"))
    assert place.within("verify").status == 0
    odd = place.run(b"sh", b"-c", b"exit 0", b"\xff\xfe.py")
    assert odd.status == 0, odd.err


def test_a_file_that_changes_while_the_program_runs_is_a_gap_or_its_last_state(place: Place) -> None:
    (place.folder / "in.csv").write_text("first")
    place.script("go.py", "open('in.csv').read()\nimport time\nprint('ready', flush=True)\ninput()\n")
    process = place.start(
        *LINEAL, "run", "--json", "--", PYTHON, "go.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    (place.folder / "in.csv").write_text("second!")
    out, _ = process.communicate(b"\n", timeout=900)
    said = json.loads(out)
    used = joined(place, said["run"], "used")
    assert "file:in.csv" not in used, "nobody knows any more what the program read"
    assert "run.file.mutated-during-run" in codes(said)


# Secrets


def test_no_secret_reaches_any_byte_of_the_ledger(place: Place) -> None:
    seeds = {
        "argv": "sk-ant-api03-" + "A1b2C3d4" * 12,
        "env": "ghp_" + "Zx9Yw8Vu7T" * 4,
        "remote": "glpat-" + "Qw3Er5Ty7U" * 2,
        "stdout": "AKIA" + "Z7Y6X5W4V3U2T7S2",
        "long": "xoxb-" + "123456789012-" * 2 + "aB3dE5gH7jK9mN1pQ3sT5vW7",
        "password": "correct-horse-battery-9",
    }
    place.script("say.py", "import os, sys\nprint('x' * 65500 + ' ' + os.environ['SAID'] + ' ' + 'y' * 65480)\n")
    place.repository()
    place.git("remote", "add", "origin", f"https://oauth2:{seeds['remote']}@gitlab.example.org/acme/risk.git")
    env = {"HF_TOKEN": seeds["env"], "MY_TOKEN": seeds["env"], "SAID": seeds["long"]}
    done = place.run(
        "sh", "-c", f"echo {seeds['stdout']}; {PYTHON} say.py", "say", "--token", seeds["argv"],
        f"--password={seeds['password']}", options=("--env", "MY_*"), env=env,
    )  # fmt: skip
    assert done.status == 0, done.err
    found = detail(place, done.last()["run"])
    assert "[redacted]" in json.dumps(found["argv"])
    with lineal.open(str(place.folder)) as client:
        kept = b"\n".join(client.session.objects.read(digest) for digest in every_object(client))
    files = (file for file in (place.folder / ".lineal").rglob("*") if file.is_file())
    everything = kept + b"\n".join(file.read_bytes() for file in files)
    for name, secret in seeds.items():
        assert secret.encode() not in everything, name
        assert secret[8:].encode() not in everything, f"{name}, in part"


def every_object(client: Any) -> list[Digest]:
    found = []
    for view in client.session.catalog.all_nodes():
        for role, text in view.detail.get("objects", {}).items():
            if role != "content":
                found.append(Digest.parse(text))
    return found


# Together


def test_ten_at_once_are_all_recorded(place: Place) -> None:
    for file in (place.folder / ".lineal").glob("catalog.db*"):
        file.unlink()  # and the catalog is anew
    started = [
        place.start(
            *place.warm(), "run", "-q", "--name", f"r{number}", "--", "sh", "-c", f"exit {number}",
            stderr=subprocess.PIPE,
        )
        for number in range(10)
    ]  # fmt: skip
    for number, process in enumerate(started):
        _, err = process.communicate(timeout=900)
        assert (process.returncode, err) == (number, b"")
    found = runs(place)
    assert {(each["name"], each["exit_status"]) for each in found} == {(f"r{n}", n) for n in range(10)}
    assert place.within("verify").status == 0


def test_a_locked_ledger_after_the_program_is_waited_for(place: Place) -> None:
    import sqlite3

    place.script("go.py", "print('ready', flush=True)\ninput()\n")
    process = place.start(
        *LINEAL, "run", "--json", "--", PYTHON, "go.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"ready\n"
    lock = sqlite3.connect(place.folder / ".lineal" / "ledger.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    process.stdin.write(b"\n")
    process.stdin.flush()
    time.sleep(0.7)  # long enough for it to stand before the lock, most of the time
    assert process.poll() is None
    lock.execute("ROLLBACK")
    lock.close()
    out, _ = process.communicate(timeout=900)
    assert process.returncode == 0
    assert "error" not in json.loads(out)
