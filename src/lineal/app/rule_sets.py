"""Sets of rules: those of this package and of installed ones by name, those of files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from lineal.app.rule_plugins import installed_rules
from lineal.change.graph_rules import EstateRule
from lineal.change.graph_rules_approval import APPROVAL_RULES
from lineal.change.graph_rules_changes import CHANGE_RULES
from lineal.change.graph_rules_origin import ORIGIN_RULES
from lineal.change.graph_rules_trail import TRAIL_RULES
from lineal.change.managed_conditions import CONDITIONS
from lineal.change.managed_trail_rules import MANAGED_TRAIL_RULES
from lineal.change.pack import AnyRule, Pack, Unsupported, choose, is_pack, read_pack
from lineal.change.rule import Rule, give_parameters
from lineal.change.rule_file import read_rules, rules_of
from lineal.change.rule_yaml import MAX_SIZE, read_yaml
from lineal.errors import BadInput

MANAGED: Final = "aws-managed"
GRAPH: Final = "lineal"
INSTALLED: Final = "installed"
DEFAULT: Final = (GRAPH, MANAGED, INSTALLED)
"""The sets that are asked when none is named."""
_FILES: Final = resources.files("lineal.change") / "rules"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules to ask, and those of packs that cannot be asked here."""

    rules: tuple[AnyRule, ...]
    unsupported: tuple[Unsupported, ...] = ()


@cache
def managed_rules() -> dict[str, AnyRule]:
    """Return the equivalents of AWS's managed rules, by identifier."""
    text = (_FILES / f"{MANAGED}.yaml").read_text("utf-8")
    rules: list[AnyRule] = [*read_rules(text, f"{MANAGED}.yaml", CONDITIONS), *MANAGED_TRAIL_RULES]
    return {rule.id: rule for rule in rules}


def shipped_packs() -> list[str]:
    """Return the names of the conformance packs that come with this package."""
    return sorted(each.name.removesuffix(".yaml") for each in (_FILES / "packs").iterdir() if each.name[-5:] == ".yaml")


def shipped_sets() -> list[str]:
    """Return the names of all sets of rules that come with this package."""
    return [*DEFAULT, *shipped_packs()]


def load_rules(names: Sequence[str] = (), more: Iterable[AnyRule] = ()) -> RuleSet:
    """Return the rules of the sets, files and packs `names` (the default ones if there are none), and `more`.

    A rule that several of them have with other parameters is asked with each, the second as ``ID:SET``. Raises
    `BadInput` for what is no file of rules, no pack and no name of a set.
    """
    rules: dict[str, AnyRule] = {}
    unsupported: list[Unsupported] = []
    for found in [*(_load(name) for name in names or DEFAULT), RuleSet(tuple(more))]:
        for rule in found.rules:
            held = rules.setdefault(rule.id, rule)
            if not _is_same(held, rule):
                other = replace(rule, id=f"{rule.id}:{rule.source}")
                rules[other.id] = other
        unsupported += [each for each in found.unsupported if each not in unsupported]
    return RuleSet(tuple(rules.values()), tuple(unsupported))


def override(rules: RuleSet, given: Sequence[str]) -> RuleSet:
    """Return `rules` with other parameters, each `given` as ``ID.NAME=VALUE``; raise `BadInput` for what is none."""
    wanted: dict[str, dict[str, str]] = {}
    for text in given:
        place, equals, value = text.partition("=")
        rule, dot, name = place.rpartition(".")
        if not equals or not dot or not rule or not name:
            raise BadInput(f"not a parameter of a rule: {text[:100]!r}", fix="Write ID.NAME=VALUE.")
        wanted.setdefault(rule, {})[name] = value
    unknown = sorted(set(wanted) - {each.id for each in rules.rules})
    if unknown:
        raise BadInput(f"there is no rule {unknown[0]!r}", fix="`lineal check --list-rules` shows them all.")
    found = [
        replace(each, parameters=give_parameters(each.id, each.parameters, wanted[each.id]))
        if each.id in wanted
        else each
        for each in rules.rules
    ]
    return RuleSet(tuple(found), rules.unsupported)


def _is_same(left: AnyRule, right: AnyRule) -> bool:
    if isinstance(left, Rule) and isinstance(right, Rule):
        return left.digest == right.digest
    return (
        isinstance(left, EstateRule)
        and isinstance(right, EstateRule)
        and left.ask is right.ask
        and (left.parameters == right.parameters)
    )


def _load(name: str) -> RuleSet:
    if name == MANAGED:
        return RuleSet(tuple(managed_rules().values()))
    if name == GRAPH:
        return RuleSet((*APPROVAL_RULES, *ORIGIN_RULES, *CHANGE_RULES, *TRAIL_RULES))
    if name == INSTALLED:
        return RuleSet(tuple(installed_rules()))
    if name in shipped_packs():
        return _of_pack(read_pack(read_yaml((_FILES / "packs" / f"{name}.yaml").read_text("utf-8"), name)))
    return _of_file(Path(name))


def _of_file(path: Path) -> RuleSet:
    try:
        if path.stat().st_size > MAX_SIZE:
            raise BadInput(f"{path}: too large for a file of rules (at most {MAX_SIZE:,} bytes)")
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text: {error.reason}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(
            f"no rules at {str(path)!r}: {reason}", fix=f"A file, or one of {', '.join(shipped_sets())}."
        ) from error
    sheet = read_yaml(text, str(path))
    if is_pack(sheet):
        return _of_pack(read_pack(sheet))
    return RuleSet(rules_of(sheet))


def _of_pack(pack: Pack) -> RuleSet:
    """Return what of a pack can be asked: its managed rules that have an equivalent here, with its parameters."""
    return RuleSet(*choose(pack, managed_rules()))
