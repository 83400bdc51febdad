"""One strange answer must not end a collection: it is a gap, and the kind that it is of is read again next time."""

from collections.abc import Callable, Iterator
from typing import Final

from lineal.core.observation import Gap, Observation, check
from lineal.core.redaction import redact
from lineal.errors import UsageError
from lineal.sources.sagemaker_reading import Reader

_STRANGE: Final = (UsageError, LookupError, TypeError, ValueError, AttributeError)


def guarded(
    reader: Reader, kind: str, about: object, make: Callable[[], Iterator[Observation | Gap]]
) -> Iterator[Observation | Gap]:
    """Yield what `make` gives of one thing, all of it or, where it cannot be understood or recorded, a gap."""
    try:
        found = list(make())
        for item in found:
            if isinstance(item, Observation):
                check(item)
    except _STRANGE as error:
        reader.refused.add(kind)
        why = redact(f"{type(error).__name__}: {error}")[0][:300]
        yield Gap("sagemaker.unreadable", f"what SageMaker says of it cannot be recorded: {why}", str(about))
        return
    yield from found
