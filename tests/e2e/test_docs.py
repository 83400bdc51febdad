"""The documentation, as run: examples work, pages made from the code are up to date, every word of the code is told."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lineal import errors
from lineal.core.edge import EDGE_RULES
from lineal.core.ref import KINDS
from lineal.ledger import tables
from servers import warm

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "=-=-="


def _blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in _BLOCK.findall(page.read_text("utf-8")) if name == language]


def _with_blocks(language: str) -> list[Any]:
    found = [page for page in PAGES if _blocks(page, language) and (language, page.name) != ("console", "README.md")]
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in found]


def _script(name: str) -> ModuleType:
    if str(ROOT / "scripts") not in sys.path:
        sys.path.append(str(ROOT / "scripts"))
    return importlib.import_module(name)


def _commands(page: Path) -> list[tuple[str, list[str]]]:
    """Return each command of the page's console blocks, with the output that stands below it."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(_blocks(page, "console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", found[-1][1])
        elif line.strip():
            found[-1][1].append(line.rstrip())
    return found


def _pattern(line: str) -> str:
    """Return what matches an expected line whatever the digests, moments, people and sizes are."""
    text = re.sub(r"\s+", " ", line.strip())
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z", "\x01", text)
    text = re.sub(r"[\w.-]+@[\w-]+(?= |$)", lambda found: found[0] if ":" in found[0] else "\x02", text)
    text = re.sub(r"(?<![\w/.])[0-9a-f]{10,64}\b|(?<=-)[0-9a-f]{12}\b", "\x03", text)
    text = text.replace("…", "\x04")
    escaped = re.escape(text)
    for mark, pattern in {"\x01": r"[\dTZ:. -]+", "\x02": r"\S+", "\x03": "[0-9a-f]+", "\x04": ".*"}.items():
        escaped = escaped.replace(re.escape(mark), pattern)
    return escaped


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LINEAL", "GIT", "PYTHON"))}
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "LC_ALL": "C.UTF-8",
    }


@pytest.mark.parametrize("page", _with_blocks("console"))
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "scorer"
    home.mkdir()
    shutil.copytree(DOCS / "howto" / "first-model", work)
    shutil.copy(DOCS / "verify_by_hand.py", work)
    environment = _environment(home)
    if page.name != "first-model.md":  # that one is typed by who has just installed it
        commands = warm.make_command(tmp_path / "bin", warm.warm(environment))
        environment["PATH"] = f"{commands}{os.pathsep}{environment['PATH']}"
    for name, value in (("user.name", "Ana"), ("user.email", "ana@bank.example"), ("init.defaultBranch", "main")):
        subprocess.run(["git", "config", "--global", name, value], env=environment, check=True, cwd=work)
    try:
        _compare(page, work, environment)
    except BaseException:  # a page that went wrong half-way must not leave its server behind
        command = ["lineal", "retire", "endpoint:scorer", "--reason", "the test failed"]
        subprocess.run(command, env=environment, cwd=work, capture_output=True, timeout=900, check=False)
        raise


def _compare(page: Path, work: Path, environment: dict[str, str]) -> None:
    commands = _commands(page)
    script = "\n".join(f"{command}\nprintf '\\n{_MARK} %s\\n' $?" for command, _ in commands)
    done = subprocess.run(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        env=environment,
        cwd=work,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
        check=False,
    )
    printed = re.split(rf"\n{_MARK} (\d+)\n", done.stdout)
    assert len(printed) == 2 * len(commands) + 1, f"the shell ended early:\n{done.stdout}"
    for (command, expected), output, status in zip(commands, printed[0::2], printed[1::2], strict=False):
        assert status == "0", f"{page.name}: `{command}` ended with {status}:\n{output}"
        lines = [re.sub(r"\s+", " ", line.strip()) for line in output.splitlines()]
        for line in expected:
            assert any(re.fullmatch(_pattern(line), each) for each in lines), (
                f"{page.name}: `{command}` did not print\n  {line}\nbut\n{output}"
            )


def test_the_readme_shows_an_excerpt_of_the_first_model() -> None:
    """What it shows is run there."""
    told: dict[str, set[str]] = {}
    for command, lines in _commands(DOCS / "howto" / "first-model.md"):
        told.setdefault(command, set()).update(map(_pattern, lines))
    shown = _commands(ROOT / "README.md")
    assert len(shown) > 10
    assert [command for command, _ in shown if command not in told] == []
    assert [command for command in told if command in dict(shown)] == [command for command, _ in shown]
    for command, lines in shown:
        assert set(map(_pattern, lines)) <= told[command], command


@pytest.mark.parametrize("page", _with_blocks("python"))
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    shutil.copytree(DOCS / "howto" / "first-model", tmp_path / "work")
    environment = _environment(tmp_path)
    subprocess.run(["lineal", "init"], env=environment, cwd=tmp_path / "work", check=True, timeout=900)
    for text in _blocks(page, "python"):
        subprocess.run([sys.executable, "-c", text], env=environment, cwd=tmp_path / "work", check=True, timeout=900)


def test_the_pages_made_from_the_code_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_docs.py", "--check"],
        env=_environment(ROOT),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_code_of_the_source_is_found() -> None:
    """The reader of codes is held against plain search, so that it cannot go blind."""
    found = {(word.kind, word.code) for word in _script("code_words").codes()}
    for kind, pattern in (
        ("gap", r'\bGap\(\s*"([a-z_]+\.[a-z_]+)"'),
        ("finding", r'\b(?:_fault|Finding)\(\s*(?:code=)?"([a-z_]+\.[a-z_]+)"'),
    ):
        plain = {code for file in (ROOT / "src").rglob("*.py") for code in re.findall(pattern, file.read_text("utf-8"))}
        assert len(plain) > 20
        assert {code for code in plain if (kind, code) not in found} == set()


def test_every_error_has_a_code_of_its_own_and_is_documented() -> None:
    page = (DOCS / "errors.md").read_text("utf-8")
    kinds = _script("make_docs").all_errors()
    assert errors.IntegrityError in kinds
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert [kind.code for kind in kinds if f"| `{kind.code}` | {kind.exit_status} |" not in page] == []


def test_every_event_type_is_documented() -> None:
    page = (DOCS / "format.md").read_text("utf-8")
    types = _script("code_words").event_types()
    assert "run.finished/1" in types
    assert [name for name in types if f"| `{name}` |" not in page] == []


def test_no_event_type_is_documented_that_does_not_exist() -> None:
    page = (DOCS / "format.md").read_text("utf-8")
    told = set(re.findall(r"^\| `([A-Za-z_.]+/\d+)` \|", page, re.MULTILINE))
    assert told - set(_script("code_words").event_types()) == set()


def test_every_column_of_the_ledger_is_documented() -> None:
    page = (DOCS / "format.md").read_text("utf-8")
    for table in tables.metadata.tables.values():
        part = page.partition(f"**`{table.name}`**")[2].partition("\n**`")[0]
        assert [column.name for column in table.columns if f"`{column.name}`" not in part] == [], table.name


@pytest.mark.parametrize("name", EDGE_RULES)
def test_every_edge_type_is_documented(name: str) -> None:
    for page in ("format.md", "glossary.md"):
        assert f"`{name}`" in (DOCS / page).read_text("utf-8"), page


@pytest.mark.parametrize("name", [*KINDS, "run"])
def test_every_kind_is_documented(name: str) -> None:
    for page in ("format.md", "glossary.md"):
        assert f"`{name}" in (DOCS / page).read_text("utf-8"), page


def test_every_command_has_json_documented() -> None:
    page = (DOCS / "json.md").read_text("utf-8")
    commands = re.findall(r"^## lineal ([\w ]+)$", (DOCS / "cli.md").read_text("utf-8"), re.MULTILINE)
    assert "trace" in commands
    assert [name for name in commands if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, fragment = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (fragment and fragment not in _headings(file)):
            dead.append(target)
    assert dead == []


def _headings(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_linked_from_the_index() -> None:
    index = (DOCS / "index.md").read_text("utf-8")
    below = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page.name != "index.md"]
    assert [name for name in below if f"({name})" not in index and not name.startswith("adr/")] == []
    for page in DOCS.glob("adr/*.md"):
        assert f"(adr/{page.name})" in index, page.name
