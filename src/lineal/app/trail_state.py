"""What a collection of log files must know of the one before: how far it came, and what it has read of late."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core.timestamp import shift
from lineal.sources.cloudtrail_place import LogFile, read_name

LATE: Final = 6
"""For how many hours after another a file may come and still be found: AWS says 15 minutes, usually 5."""
_UNPROVEN: Final = 48
MOST_RETRIES: Final = 1000
_DOUBTED: Final = "?"
_MOST_FILES: Final = 50_000
"""What was covered stands in one event, whose size is bounded: in very large organisations, late files are fewer."""


@dataclass(slots=True)
class Region:
    """Of one account and region: when the newest file that was read was delivered (`until`), and what came of late.

    `files` are hashes by the name of the file without what all of them share: of every file that was delivered from
    `late` on. `covered` is where the unproven span of the last look ended.
    """

    until: str = ""
    late: str = ""
    covered: str = ""
    files: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """How far a place was read. It stands in what the collection covered.

    Anybody who can write to a place can put a file of the year 2099 there: nothing is taken as read beyond `now`.
    """

    regions: dict[str, Region] = field(default_factory=dict)
    chains: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: dict[str, dict[str, str]] = field(default_factory=dict)
    retry: dict[str, str] = field(default_factory=dict)
    now: str = "~"

    @classmethod
    def read(cls, covered: Mapping[str, Any]) -> "State":
        """Return the state in `covered`; an empty one if there is none."""
        regions = {
            name: Region(
                until=str(each.get("until", "")),
                late=str(each.get("late", "")),
                covered=str(each.get("covered", "")),
                files=dict(each.get("files", {})),
            )
            for name, each in dict(covered.get("regions", {})).items()
        }
        return cls(
            regions=regions,
            chains={name: dict(each) for name, each in dict(covered.get("chains", {})).items()},
            stopped={name: dict(each) for name, each in dict(covered.get("stopped", {})).items()},
            retry=dict(covered.get("retry", {})),
        )

    def describe(self) -> dict[str, Any]:
        """Return the state as it stands in what was covered: of each region the names of late, not all."""
        regions = {}
        stamps = sorted(_stamp(key) for region in self.regions.values() for key in region.files)
        cutoff = stamps[-_MOST_FILES] if len(stamps) > _MOST_FILES else ""
        for name, region in sorted(self.regions.items()):
            late = max(self._late(name, region), cutoff)
            kept = {key: sha256 for key, sha256 in region.files.items() if _stamp(key) >= late}
            regions[name] = {
                "until": region.until, "late": late, "covered": region.covered, "files": dict(sorted(kept.items())),
            }  # fmt: skip
        return {
            "regions": regions,
            "chains": dict(sorted(self.chains.items())),
            "stopped": self.stopped,
            "retry": dict(sorted(self.retry.items())[:MOST_RETRIES]),
        }

    def _late(self, name: str, region: Region) -> str:
        """Return from when on files of a region must be known by name: what no digest has named yet, until one does."""
        if not region.until:
            return ""
        late = shift(region.until, hours=-LATE)
        proven = max((each["end"] for chain, each in self.chains.items() if chain.startswith(f"{name}/")), default="")
        if not proven:
            return late
        return max(min(late, shift(proven, hours=-LATE)), shift(region.until, hours=-_UNPROVEN))

    def region(self, file: LogFile) -> Region:
        """Return what is known of the account and region of a file."""
        return self.regions.setdefault(place_of(file), Region())

    def known(self, file: LogFile) -> str | None:
        """Return the hash of a file that was read before, None of one that was not."""
        found = self._held(file)
        return None if found is None else found.removeprefix(_DOUBTED)

    def is_doubted(self, file: LogFile) -> bool:
        """Return whether a file was read before a digest of its time could say that it is one of the trail."""
        return (self._held(file) or "").startswith(_DOUBTED)

    def note(self, file: LogFile, sha256: str, *, doubted: bool = False) -> None:
        """Note that a file was read whole; it is `doubted` as long as a digest may still come that names it, or not."""
        self.retry.pop(file.name, None)
        if file.stamp:
            region = self.region(file)
            region.until = max(region.until, min(file.stamp, self.now))
            region.files[_short(file)] = f"{_DOUBTED if doubted else ''}{sha256}"

    def _held(self, file: LogFile) -> str | None:
        region = self.regions.get(place_of(file))
        return None if region is None else region.files.get(_short(file))

    def again(self) -> list[LogFile]:
        """Return the files that could not be read last time."""
        found = ((name, read_name(key, 0)) for name, key in self.retry.items())
        return [file for _, file in found if file is not None]


def place_of(file: LogFile) -> str:
    """Return account and region of a file as one word."""
    return f"{file.account}/{file.region}"


def _short(file: LogFile) -> str:
    """Return what of the name of a file differs within a region: when it was delivered, and the random part."""
    return file.name.partition(f"_{file.region}_")[2].removesuffix(".gz").removesuffix(".json")


def _stamp(short: str) -> str:
    """Return the moment in a short name, ``20261125T1005Z_…``."""
    return f"{short[:4]}-{short[4:6]}-{short[6:8]}T{short[9:11]}:{short[11:13]}:00.000000Z"
