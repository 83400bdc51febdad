"""Rules in Python that others write: by entry points of installed packages, or from a file that a person names."""

import runpy
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

from lineal.change.graph_rules import EstateRule
from lineal.change.pack import AnyRule
from lineal.change.rule import Rule
from lineal.errors import BadInput, LinealError

GROUP: Final = "lineal.rules"


def load_python_rules(path: Path) -> list[AnyRule]:
    """Run the file of Python `path`, which a person named to be run, and return its ``RULES``.

    Raises `BadInput` for a file that cannot be run or has no such list of rules.
    """
    try:
        found = runpy.run_path(str(path), run_name="lineal_rules")
    except OSError as error:
        raise BadInput(f"no Python at {str(path)!r}: {error.strerror or error}") from error
    except (Exception, SystemExit) as error:
        raise BadInput(f"{path} could not be run: {type(error).__name__}: {error}") from error
    return list(_checked(found.get("RULES"), str(path)))


def installed_rules() -> Iterator[AnyRule]:
    """Yield the rules of every installed package that has an entry point in the group ``lineal.rules``.

    An entry point leads to a rule, a list of rules, or a function that returns one. Raises `BadInput` for any other.
    """
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        yield from _checked(_load(point), f"entry point {point.name} ({point.value})")


def _load(point: EntryPoint) -> Any:
    try:
        found = point.load()
        return found() if callable(found) and not isinstance(found, Rule | EstateRule) else found
    except LinealError:
        raise
    except Exception as error:
        raise BadInput(
            f"entry point {point.name} ({point.value}) could not be loaded: {type(error).__name__}: {error}",
            fix="Mend or uninstall the package that has it.",
        ) from error


def _checked(found: Any, name: str) -> Iterable[AnyRule]:
    rules = [found] if isinstance(found, Rule | EstateRule) else found
    if not isinstance(rules, list | tuple) or not all(isinstance(each, Rule | EstateRule) for each in rules):
        raise BadInput(f"{name}: RULES must be a list of rules (lineal.change.graph_rules.EstateRule)")
    return rules
