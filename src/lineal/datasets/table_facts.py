"""What was found in single files of tables, by the digest of each file: the same bytes are not read twice.

A version keeps these facts as an object, so that the next one, which has most of the files, too, reads only the others.
"""

from typing import Any, Final

from lineal.core import canonical
from lineal.datasets.manifest import Entry
from lineal.errors import NotCanonical

_MOST: Final = 1 << 53


class Facts:
    """Facts about files: of each its shape (columns, a dialect: the same for many files), and a few numbers."""

    def __init__(self, data: bytes | None = None) -> None:
        """Take the facts that `encode` wrote; what it did not write is no facts at all. `bytes` sums the files."""
        self._known = {} if data is None else _decode(data)
        self._used: dict[str, tuple[Any, list[int]]] = {}
        self.bytes = 0

    def get(self, kind: str, entry: Entry) -> tuple[Any, list[int]] | None:
        """Return shape and numbers of a file that was read as `kind`, None if they are not known."""
        key = _key(kind, entry)
        found = self._used.get(key) or self._known.get(key)
        if found is not None:
            self._take(key, entry, found)
        return found

    def put(self, kind: str, entry: Entry, shape: Any, numbers: list[int]) -> None:
        """Take what was found by reading a file as `kind`: a canonical document, and numbers."""
        if entry.kind != "p":  # whose digest is not of its bytes
            self._take(_key(kind, entry), entry, (shape, numbers))

    def _take(self, key: str, entry: Entry, found: tuple[Any, list[int]]) -> None:
        self.bytes += 0 if key in self._used else entry.size
        self._used[key] = found

    def __len__(self) -> int:
        return len(self._used)

    def encode(self) -> bytes:
        """Return the canonical bytes of the facts that were used or found."""
        places: dict[bytes, int] = {}
        shapes: list[Any] = []
        files: dict[str, list[int]] = {}
        for key, (shape, numbers) in self._used.items():
            spelled = canonical.encode(shape)
            if spelled not in places:
                places[spelled] = len(shapes)
                shapes.append(shape)
            files[key] = [places[spelled], *numbers]
        return canonical.encode({"files": files, "shapes": shapes})


def _key(kind: str, entry: Entry) -> str:
    return f"{kind} {entry.digest.hex}"


def _decode(data: bytes) -> dict[str, tuple[Any, list[int]]]:
    try:
        document: Any = canonical.decode(data)
        shapes = document["shapes"]
        found = {key: (shapes[numbers[0]], numbers[1:]) for key, numbers in document["files"].items()}
    except (NotCanonical, LookupError, TypeError, AttributeError):
        return {}
    good = all(type(each) is int and 0 <= each < _MOST for _, numbers in found.values() for each in numbers)
    return found if good else {}
