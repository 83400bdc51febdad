"""Documents as they go on record: some in each event, so that events are few, and none is larger than one may be."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

_MOST_BYTES: Final = 4 * 1024 * 1024  # an event holds 16 MiB


def cut_batches(documents: Iterable[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    """Yield `documents` in their order, at most `most` and some MiB of them at a time."""
    batch: list[dict[str, Any]] = []
    size = 0
    for document in documents:
        weight = len(json.dumps(document))  # of ASCII alone: at least as many bytes as the canonical spelling has
        if batch and (len(batch) >= most or size + weight > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += weight
    if batch:
        yield batch
