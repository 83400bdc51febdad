"""Templates of CloudFormation, as documents that can be compared by path: JSON and YAML with its short forms."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final

from lineal.sources.items_reading import parsed

# `!Ref a` stands for {"Ref": "a"}, `!Condition a` for {"Condition": "a"}, every other `!X` for {"Fn::X": …}.
_BARE: Final = frozenset({"Ref", "Condition"})


def read_template(body: object) -> Any:
    """Return a template as the document that it says; text that is neither JSON nor YAML as it is.

    Aliases and anchors are not followed (CloudFormation takes none, and few lines of them unfold to gigabytes): such a
    template stays text. So does one with a key twice.
    """
    found = parsed(body)
    if not isinstance(found, str):
        return found
    import yaml

    try:
        document = yaml.load(found, Loader=_loader())  # noqa: S506  # a safe loader, with tags of its own
    except (yaml.YAMLError, RecursionError, ValueError):
        return found
    return document if isinstance(document, dict) else found


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML as CloudFormation takes it: no aliases, no key twice, dates are text."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("an alias")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            found = super().construct_mapping(node, deep=deep)
            if len(found) != len(node.value):
                raise yaml.YAMLError("a key stands twice")
            return {key if isinstance(key, str) else str(key): value for key, value in found.items()}

    Loader.yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_multi_constructor("!", _construct)
    return Loader


def _construct(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    import yaml

    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in _BARE else f"Fn::{suffix}": value}
