"""Where log files and digests of CloudTrail lie: what their names say, and a folder that holds them.

The name of a file says account, region and when it was delivered ("Finding your CloudTrail log files", "CloudTrail
digest file structure"), whatever folder it was copied into:
``ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_RANDOM.json.gz``.
"""

import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from lineal.core import timestamp
from lineal.core.observation import Gap
from lineal.core.redaction import clean
from lineal.errors import BadInput, BadTime
from lineal.sources.cloudtrail_file import MOST_PACKED
from lineal.sources.reading_ahead import read_ahead

AT_ONCE: Final = 8
_LOG: Final = re.compile(
    r"(?P<account>\d{12})_CloudTrail_(?P<region>[a-z]{2}[a-z0-9-]+)_(?P<day>\d{8})T(?P<time>\d{4})Z_[A-Za-z0-9]+"
    r"\.json(\.gz)?"
)
_DIGEST: Final = re.compile(
    r"(?P<account>\d{12})_CloudTrail-Digest_(?P<region>[a-z]{2}[a-z0-9-]+)_(?P<trail>.+)_(?P<home>[a-z]{2}[a-z-]+\d)"
    r"_(?P<day>\d{8})T(?P<time>\d{6})Z(?P<more>_backfill)?\.json(\.gz)?"
)
_ENDINGS: Final = (".json", ".json.gz", ".jsonl", ".jsonl.gz")

Since = Callable[[str, str], str]
"""From which moment on the files of an account and region are wanted: '' for all."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file or digest: where it is, and what its name says; `stamp` is when it was delivered, '' if unknown.

    `trail` is that of a digest, with its home region: digests of one trail, account and region are one chain.
    """

    key: str
    name: str
    size: int
    account: str = ""
    region: str = ""
    stamp: str = ""
    trail: str = ""

    @property
    def folder(self) -> str:
        """Where it is, one text for all that are there."""
        return sys.intern(self.key.removesuffix(self.name))

    @property
    def chain(self) -> str:
        """What the chain of a digest is called."""
        return f"{self.account}/{self.region}/{self.trail}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes of a file, and the signature that S3 keeps beside a digest."""

    data: bytes
    signature: str | None = None


class Place(Protocol):
    """Somewhere that holds log files."""

    @property
    def name(self) -> str:
        """The place as it is recorded."""
        ...

    def logs(self, since: Since) -> Iterator[LogFile | Gap]:
        """Yield the log files, those of an account and region in the order of their names."""
        ...

    def digests(self, since: Since) -> Iterator[LogFile | Gap]:
        """Yield the digests, those of a chain in the order of their names."""
        ...

    def fetch(self, file: LogFile) -> Fetched | Gap:
        """Return what the file holds; may be called from several threads."""
        ...


def read_name(key: str, size: int) -> LogFile | None:
    """Return the log file or digest that is called `key`, by its last part; None if the name is that of neither.

    One of a moment that never was (the 99th of a month) is neither: whoever can write there can name a file so.
    """
    name = key.rpartition("/")[2]
    if (match := _LOG.fullmatch(name)) is not None:
        stamp, trail = _stamp(match["day"], match["time"] + "00"), ""
    elif (match := _DIGEST.fullmatch(name)) is not None:
        stamp, trail = _stamp(match["day"], match["time"]), f"{match['trail']}_{match['home']}{match['more'] or ''}"
    else:
        return None
    return LogFile(key, name, size, match["account"], match["region"], stamp, trail) if stamp else None


def fetch_each(place: Place, wanted: Iterable[LogFile]) -> Iterator[tuple[LogFile, Fetched | Gap]]:
    """Yield each file with what it holds, in order, some of them fetched at the same time.

    At most `AT_ONCE` of them are in memory.
    """
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cloudtrail") as pool:
        yield from read_ahead(pool, wanted, place.fetch, AT_ONCE)


class Folder:
    """A folder, or one file, on this machine."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise BadInput(f"there is no such file or folder: {path}")
        if not (path.is_file() or path.is_dir()):
            raise BadInput(f"neither a file nor a folder: {path}", fix="Write what a pipe gives into a file.")
        self.path = path
        self._found: list[LogFile] | None = None

    @property
    def name(self) -> str:
        """The place as it is recorded."""
        return clean(str(self.path.resolve()))

    def logs(self, since: Since) -> Iterator[LogFile | Gap]:
        """Yield the log files; those whose names say nothing come last."""
        for file in self._files():
            if not file.trail and (not file.stamp or file.stamp >= since(file.account, file.region)):
                yield file

    def digests(self, since: Since) -> Iterator[LogFile | Gap]:
        """Yield the digests."""
        for file in self._files():
            if file.trail and file.stamp >= since(file.account, file.region):
                yield file

    def fetch(self, file: LogFile) -> Fetched | Gap:
        """Return what the file holds; a folder has no signatures."""
        if file.size > MOST_PACKED and file.key.endswith(".gz"):
            return Gap(
                "cloudtrail.file_too_large", f"a log file of {file.size:,} bytes is none of CloudTrail", file.key
            )
        try:
            return Fetched(Path(file.key).read_bytes())
        except OSError as error:
            return Gap("cloudtrail.file_unreadable", f"it cannot be read: {error.strerror}", file.key)

    def _files(self) -> list[LogFile]:
        if self._found is None:
            found = [self.path] if self.path.is_file() else self._walk()
            files = [each for each in map(self._look, found) if each is not None]
            self._found = sorted(files, key=lambda each: (each.account == "", each.account, each.region, each.name))
        return self._found

    def _walk(self) -> list[Path]:
        return [
            Path(folder, name)
            for folder, _, names in os.walk(self.path)
            for name in names
            if name.endswith(_ENDINGS) and "CloudTrail-Insight" not in name
        ]

    def _look(self, path: Path) -> LogFile | None:
        try:
            told = path.stat()
        except OSError:
            return LogFile(str(path), clean(path.name), 0)  # fetching says why
        if not stat.S_ISREG(told.st_mode):
            return None
        return read_name(str(path), told.st_size) or LogFile(str(path), clean(path.name), told.st_size)


def _stamp(day: str, time: str) -> str:
    """Return the moment that digits spell, '' if there is none."""
    try:
        return timestamp.check(f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}.000000Z")
    except BadTime:
        return ""
