"""Configuration items: one observed configuration of one resource, whoever observed it.

The noun is AWS Config's; the fields are those of its API shape ConfigurationItem, in Lineal's words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core import canonical, timestamp
from lineal.core.digest import Digest
from lineal.core.resource import Resource, check_keys
from lineal.errors import BadInput, Malformed

OBSERVED: Final = "config.observed/1"
STATUSES: Final = ("ok", "deleted", "unrecorded")


@dataclass(frozen=True, slots=True)
class Relationship:
    """What a resource says of another: the `type` and `key` (or mere name) of that one, and how they are joined."""

    type: str
    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigItem:
    """The `configuration` of one resource as it was seen at `time`, with everything else that the record says of it.

    `status` is one of `STATUSES`: ``unrecorded`` where a recorder says that it does not look at the resource. `source`
    says who looked (``aws``, ``aws-config``, ``files``), `shape` whose words the configuration is written in (``api``:
    the service's own Describe call; ``config``: AWS Config's; ``config-base``: those that it has where its history is
    refused, which say less; ``kubernetes``, ``helm``, ``terraform``, ``file``): only items of one shape are compared.
    `created` and `modified` are moments the resource itself states. `semantic` is the digest of what counts in the
    configuration (see `change.semantic`), None where that was not asked. `extra` keeps what the record says and no
    field has. Every document is canonical (see `core.plain`).
    """

    resource: Resource
    time: str
    status: str = "ok"
    source: str
    shape: str
    configuration: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    relationships: tuple[Relationship, ...] = ()
    created: str | None = None
    modified: str | None = None
    state: str | None = None
    semantic: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    _digest: str = field(default="", init=False, repr=False, compare=False)

    def describe(self) -> dict[str, Any]:
        """Return the item as it stands in an event body; what is empty is left out.

        Raises `BadInput` for a status or moment that an item cannot have.
        """
        if self.status not in STATUSES:
            raise BadInput(f"no such status of a configuration: {self.status!r} (one of {', '.join(STATUSES)})")
        for each in (self.time, self.created, self.modified):
            if each is not None:
                timestamp.check(each)
        of = self.resource
        check_keys(of.key, of.name, of.type, of.account, of.region)
        found: dict[str, Any] = {
            "resource": of.key, "type": of.type, "account": of.account, "region": of.region, "name": of.name,
            "time": self.time, "status": self.status, "source": self.source, "shape": self.shape,
        }  # fmt: skip
        rest = {
            "configuration": self.configuration,
            "tags": self.tags,
            "relationships": [[each.type, each.key, each.name] for each in self.relationships],
            "created": self.created,
            "modified": self.modified,
            "state": self.state,
            "semantic": self.semantic,
            "extra": self.extra,
        }
        return found | {name: value for name, value in rest.items() if value}

    def digest(self) -> str:
        """Return the digest of the whole item in canonical spelling: what a judgement cites."""
        return self._digest or str(Digest.of(canonical.encode(self.describe())))


def read_text(text: str) -> ConfigItem:
    """Return the item whose document has the canonical spelling `text`; its digest is that of the text."""
    item = read_item(json.loads(text))
    object.__setattr__(item, "_digest", str(Digest.of(text.encode())))
    return item


def read_item(document: Mapping[str, Any]) -> ConfigItem:
    """Return the item that `describe` gave; raise `Malformed` for any other document."""
    try:
        resource = Resource(*(document[each] for each in ("type", "account", "region", "name", "resource")))
        return ConfigItem(
            resource=resource,
            time=document["time"],
            status=document["status"],
            source=document["source"],
            shape=document["shape"],
            configuration=document.get("configuration", {}),
            tags=document.get("tags", {}),
            relationships=tuple(Relationship(*each) for each in document.get("relationships", ())),
            created=document.get("created"),
            modified=document.get("modified"),
            state=document.get("state"),
            semantic=document.get("semantic"),
            extra=document.get("extra", {}),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"not a configuration item: {error}") from error
