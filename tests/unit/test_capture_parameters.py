import json
import os
from pathlib import Path

import pytest

from lineal.capture.metrics import read_metrics, read_metrics_file
from lineal.capture.parameters import LONGEST, read_arguments, read_parameter_file, read_parameters
from lineal.core import canonical
from lineal.errors import BadInput


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("python train.py --lr 0.1 --depth=3 -n 5", {"lr": "0.1", "depth": "3", "n": "5"}),
        ("python3.11 -u -W ignore -X dev train.py --fast --seed 7", {"fast": "true", "seed": "7"}),
        ("/venv/bin/python -m pkg.train --lr 1e-3", {"lr": "1e-3"}),
        ("python -mpkg.train --lr 1", {"lr": "1"}),
        ("python -c pass --lr 1", {"lr": "1"}),
        ("python", {}),
        ("./train --shift -1 --low -.5e3 --last", {"shift": "-1", "low": "-.5e3", "last": "true"}),
        ("./train --col a --col b --col=c", {"col": ["a", "b", "c"]}),
        ("./train -n5 -l0.25 -vvv", {"n": "5", "l": "0.25", "vvv": "true"}),
        ("./train optimizer.lr=0.1 +data.size=9 ++x=1", {"optimizer.lr": "0.1", "data.size": "9", "x": "1"}),
        ("./train in.csv --lr 1 -- --not-an-option out", {"args": ["in.csv", "--not-an-option", "out"], "lr": "1"}),
        ("./train one", {"args": ["one"]}),
        ("./train --eq=a=b --empty=", {"eq": "a=b", "empty": ""}),
        ("./train --flag -- x", {"flag": "true", "args": ["x"]}),
        ("", {}),
    ],
)
def test_arguments(line: str, found: dict[str, object]) -> None:
    assert read_arguments(line.split()) == found


def test_files_are_flattened_to_text(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        "lr: 0.1\nmodel:\n  layers: [64, 32]\n  blocks:\n    - {size: 1}\n    - {size: 2}\n  name: 'ü'\nflag: yes\n"
        "none:\nday: 2026-03-03\nempty: {}\nbig: 123456789012345678901234567890\n1: one\nraw: !!binary aGk=\n"
    )
    assert read_parameter_file(tmp_path / "params.yaml") == {
        "lr": "0.1",
        "model.layers": ["64", "32"],
        "model.blocks.0.size": "1",
        "model.blocks.1.size": "2",
        "model.name": "ü",
        "flag": "true",
        "none": "null",
        "day": "2026-03-03",
        "empty": "{}",
        "big": "123456789012345678901234567890",
        "1": "one",
        "raw": "hi",
    }
    (tmp_path / "p.toml").write_text("lr = 0.10\n[a]\nb = [true]\nt = 07:32:00\n")
    assert read_parameter_file(tmp_path / "p.toml") == {"lr": "0.1", "a.b": ["true"], "a.t": "07:32:00"}
    (tmp_path / "p.json").write_text('{"lr": 1e-3, "x": NaN}')
    assert read_parameter_file(tmp_path / "p.json") == {"lr": "0.001", "x": "nan"}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.yaml", "a: [1"),
        ("p.yaml", "!!python/object/apply:os.system ['touch hacked']"),
        ("p.yaml", "- 1\n- 2\n"),
        ("p.yaml", BOMB),
        ("p.yaml", "a: &a {b: *a}"),
        ("p.yaml", "[" * 900_000),
        ("p.yaml", "- " * 400_000),
        ("p.json", "{"),
        ("p.json", '{"a":' * 3000 + "1" + "}" * 3000),
        ("p.json", "\udcff"),
        ("p.toml", "a = "),
        ("p.txt", "a = 1"),
        ("p.json", '{"a": "' + "x" * (1 << 20) + '"}'),
    ],
)
def test_a_file_named_that_cannot_be_used_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput) as caught:
        read_parameters(["x"], cwd=tmp_path, file=Path(name))
    assert name in caught.value.message
    assert not Path("hacked").exists()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.yaml"):
        read_parameters(["x"], cwd=tmp_path, file=Path("none.yaml"))


def test_a_found_file_counts_only_if_the_run_read_it(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("lr: 0.5\n")
    assert read_parameters(["x"], cwd=tmp_path).values == {}
    seen = {os.fsencode(tmp_path / "params.yaml")}
    assert read_parameters(["x"], cwd=tmp_path, read=seen).describe() == {
        "lr": {"value": "0.5", "origin": "params.yaml"}
    }
    (tmp_path / "params.yaml").write_text("lr: [")
    found = read_parameters(["x", "--n", "1"], cwd=tmp_path, read=seen)
    assert [(gap.code, gap.about) for gap in found.gaps] == [("parameters.file", "params.yaml")]
    assert set(found.values) == {"n"}


def test_the_command_line_wins_and_origins_are_kept(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("lr = 0.5\ndepth = 3\n")
    found = read_parameters(
        ["python", "train.py", "--lr", "0.1"],
        cwd=tmp_path,
        file=Path("my.toml"),
        sagemaker={"lr": "9", "depth": "9", "rounds": "7"},
    )
    assert found.describe() == {
        "depth": {"value": "3", "origin": "my.toml"},
        "lr": {"value": "0.1", "origin": "argv"},
        "rounds": {"value": "7", "origin": "sagemaker"},
    }


def test_secrets_are_cut_and_long_values_shortened(tmp_path: Path) -> None:
    found = read_parameters(
        ["x", "--api-key", "abc", "--note", "ghp_" + "a1B2" * 9, "--text", "y" * (LONGEST + 5), "caf\udce9"],
        cwd=tmp_path,
    )
    assert found.redactions == 2
    assert found.values["api-key"].value == found.values["note"].value == "[redacted]"
    assert len(found.values["text"].value) == LONGEST
    assert [gap.about for gap in found.gaps] == ["text"]
    canonical.encode(found.describe())


def test_metrics_are_numbers_as_text(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(
        json.dumps(
            {"auc": 0.93, "n": 7, "test": {"f1": 1e-9, "bad": float("inf")}, "ok": True, "note": "x", "all": [1, 2]}
        )
    )
    found = read_metrics_file(tmp_path / "metrics.json")
    assert found.describe() == {"auc": "0.93", "n": "7", "test.bad": "inf", "test.f1": "1e-09"}
    assert [(gap.code, gap.about) for gap in found.gaps] == [("metrics.not_numbers", "ok, note, all")]
    canonical.encode(found.describe())


def test_which_metrics_file(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "metrics.json").write_text('{"a": 1}')
    (tmp_path / "out" / "metrics.json").write_text('{"b": 2}')
    here, below = (os.fsencode(tmp_path / name) for name in ("metrics.json", "out/metrics.json"))
    assert read_metrics(tmp_path).values == {}
    assert read_metrics(tmp_path, written={here, below}).values == {"a": "1"}
    assert read_metrics(tmp_path, written={below}).values == {"b": "2"}
    assert read_metrics(tmp_path, file=Path("out/metrics.json"), written={here}).values == {"b": "2"}
    other = os.fsencode(tmp_path / "two" / "metrics.json")
    assert [gap.code for gap in read_metrics(tmp_path, written={below, other}).gaps] == ["metrics.several"]
    (tmp_path / "metrics.json").write_text("[1]")
    assert [gap.code for gap in read_metrics(tmp_path, written={here}).gaps] == ["metrics.file"]
    with pytest.raises(BadInput):
        read_metrics(tmp_path, file=Path("metrics.json"))
