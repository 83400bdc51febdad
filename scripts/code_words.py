"""The words of the code that documentation has to know: codes of gaps and findings, types of events.

They are read from the source text, so that a code cannot be added without its page being told.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parent.parent / "src" / "lineal"

_CODE: Final = re.compile(r"[a-z]+(\.[a-z_]+)+\.?")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+/[1-9][0-9]*")
_GAPS: Final = ("Gap", "_gap")
_FINDINGS: Final = ("Finding", "ObjectFault", "_fault")


@dataclass(frozen=True, slots=True, order=True)
class Word:
    """A code of the source: what it stands for (``gap`` or ``finding``), its text and how its explanation begins."""

    kind: str
    code: str
    explanation: str


def event_types() -> list[str]:
    """Return the type of every event that the source names; ``KIND`` stands for a kind that is put in."""
    found = set()
    for tree in _trees():
        for node in ast.walk(tree):
            text = _text(node, {}).replace("…", "kind", 1) if isinstance(node, ast.Constant | ast.JoinedStr) else ""
            if _EVENT.fullmatch(text):
                found.add(text if isinstance(node, ast.Constant) else text.replace("kind", "KIND", 1))
    return sorted(found)


def codes() -> list[Word]:
    """Return every code of a gap or finding, once, with the longest explanation that stands beside it."""
    found: dict[tuple[str, str], str] = {}
    for tree in _trees():
        for kind, code, explanation in _codes_in(tree):
            known = found.get((kind, code), "")
            found[kind, code] = explanation if len(explanation) > len(known) else known
    return [Word(kind, code, explanation) for (kind, code), explanation in sorted(found.items())]


def _trees() -> Iterator[ast.Module]:
    for file in sorted(SOURCE.rglob("*.py")):
        yield ast.parse(file.read_text(encoding="utf-8"))


def _codes_in(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.Module):
            texts: dict[str, str] = {}
            for node in sorted(
                _inside(scope), key=lambda each: (getattr(each, "lineno", 0), getattr(each, "col_offset", 0))
            ):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    texts[node.targets[0].id] = _text(node.value, {})
                yield from _of_node(node, texts)


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what is below `scope`, other functions left out."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _inside(child)


def _of_node(node: ast.AST, texts: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        kind = "gap" if node.func.id in _GAPS else "finding" if node.func.id in _FINDINGS else ""
        named = {word.arg: _text(word.value, texts) for word in node.keywords}
        given = [_text(each, texts) for each in node.args]
        code = next((each for each in (named.get("code", ""), *given[:3]) if _CODE.fullmatch(each)), "")
        if kind and code:
            said = given[1:2] if node.func.id == "Gap" else [each for each in given if " " in each][-1:]
            yield kind, _open(code), named.get("explanation") or "".join(said)
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
        code, text = (_text(each, texts) for each in node.elts)
        if _CODE.fullmatch(code) and " " in text:
            yield ("finding" if text.startswith("SELECT") else "gap"), code, "" if text.startswith("SELECT") else text
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            code, text = _text(key, {}) if key else "", _text(value, {})
            if _CODE.fullmatch(code) and " " in text:
                yield "gap", code, text


def _open(code: str) -> str:
    return f"{code}*" if code.endswith(".") else code


def _text(node: ast.AST | None, texts: dict[str, str]) -> str:
    """Return a text of the source, with an ellipsis where a value is put in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return texts.get(name, "")
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, {}) or "…" for part in parts).removesuffix("…" if _prefix(parts) else "\0")
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _text(left, texts) + _text(right, texts)
        case ast.BoolOp(values=values):
            return _text(values[-1], texts)
        case _:
            return ""


def _prefix(parts: list[ast.expr]) -> bool:
    """Return whether the parts are a code with an open end, such as ``run.file.{status}``."""
    return len(parts) == 2 and isinstance(parts[0], ast.Constant) and bool(_CODE.fullmatch(str(parts[0].value)))
