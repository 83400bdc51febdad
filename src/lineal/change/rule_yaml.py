"""YAML that people write (rules, packs, what to watch), read with the line of every value, to point at mistakes."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from lineal.errors import BadInput

if TYPE_CHECKING:
    import yaml

MAX_SIZE: Final = 4 * 1024 * 1024
_MOST_NODES: Final = 200_000
_DEEPEST: Final = 50
_BARE: Final = {"!Ref": "Ref", "!Condition": "Condition"}
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The value of a YAML document and the line at which each part of it stands (by its keys and indexes)."""

    name: str
    value: Any
    lines: dict[Place, int]

    def at(self, *place: str | int) -> str:
        """Return where a part stands, as ``FILE:LINE``: the part itself, or what it would stand in."""
        for end in range(len(place), -1, -1):
            if place[:end] in self.lines:
                return f"{self.name}:{self.lines[place[:end]]}"
        return self.name


def read_yaml(text: str, name: str) -> Sheet:
    """Return the one YAML document of the file called `name`; raise `BadInput`, with the line, for what is none.

    A key that stands twice is refused. Tags of CloudFormation (``!Ref``, ``!If``) are read as its long spelling.
    Decimals become `Decimal`, dates text.
    """
    import yaml

    if len(text) > MAX_SIZE:
        raise BadInput(f"{name}: {len(text):,} characters are too many (at most {MAX_SIZE:,})")
    lines: dict[Place, int] = {}
    try:
        loader: Any = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            value = None if node is None else _Reader(loader, name, lines).read(node, ())
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())[:200]
        raise BadInput(f"{name}{line}: no YAML: {problem}") from error
    except RecursionError as error:
        raise BadInput(f"{name}: nested too deep") from error
    return Sheet(name, value, lines)


class _Reader:
    """Turns nodes into values, taking note of their lines."""

    def __init__(self, loader: Any, name: str, lines: dict[Place, int]) -> None:
        self.lines = lines
        self._loader, self._name = loader, name
        self._count = 0

    def read(self, node: "yaml.Node", place: Place) -> Any:
        """Return the value of `node`, which stands at `place`."""
        import yaml

        self._count += 1
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        if self._count > _MOST_NODES or len(place) > _DEEPEST:
            raise BadInput(f"{self._name}:{line}: too much: {_MOST_NODES:,} values, {_DEEPEST} levels at most")
        if node.tag.startswith("!"):
            return self._read_tagged(node, place)
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(each, (*place, number)) for number, each in enumerate(node.value)]
        return self._read_scalar(node)

    def _read_mapping(self, node: "yaml.MappingNode", place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key, str):
                raise BadInput(f"{self._name}:{line}: a key must be text")
            if key in found:
                raise BadInput(f"{self._name}:{line}: the key {key!r} stands twice")
            self.lines.setdefault((*place, key), line)
            found[key] = self.read(value_node, (*place, key))
        return found

    def _read_tagged(self, node: "yaml.Node", place: Place) -> Any:
        import yaml

        mapping, sequence = isinstance(node, yaml.MappingNode), isinstance(node, yaml.SequenceNode)
        tag = node.tag
        node.tag = "tag:yaml.org,2002:" + ("map" if mapping else "seq" if sequence else "str")
        inner = self.read(node, place)
        node.tag = tag  # an alias brings the node again
        return {_BARE.get(tag, f"Fn::{tag[1:]}"): inner}

    def _read_scalar(self, node: "yaml.Node") -> Any:
        kind = node.tag.rpartition(":")[2]
        if kind in {"null", "bool", "int"}:
            value = self._loader.construct_object(node)
            return value if not isinstance(value, int) or abs(value) < 2**53 else str(node.value)
        if kind == "float":
            try:
                found = Decimal(node.value.replace("_", ""))
            except ArithmeticError:
                return str(node.value)
            return found if found.is_finite() else str(node.value)
        return str(node.value)
