"""Log files of CloudTrail in a bucket: found by the layout of their keys, listed from a day on.

Keys are ``[PREFIX/]AWSLogs/[o-ORGANISATION/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/FILE`` and the same with
``CloudTrail-Digest`` ("Finding your CloudTrail log files"). Since they are in the order of time, one listing of each
region that starts after a day gives what came since.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core.observation import Gap
from lineal.errors import BadInput
from lineal.sources.aws_session import MISSING, Refusal, ask
from lineal.sources.client_errors import is_foreign, shown
from lineal.sources.cloudtrail_file import MOST_PACKED
from lineal.sources.cloudtrail_place import Fetched, LogFile, Since, read_name

_INSIDE: Final = re.compile(
    r"(?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>\d{12})/CloudTrail(?:-Digest)?/(?P<region>[a-z0-9-]+)/(?P<rest>.*)"
)
_LOGS, _DIGESTS = "/CloudTrail/", "/CloudTrail-Digest/"
_MOST_LOOKED_INTO: Final = 200


@dataclass(frozen=True, slots=True)
class _Root:
    """The keys of one account and region: log files or digests; `rest` is what of the day is fixed already."""

    prefix: str
    account: str
    region: str
    rest: str

    @property
    def is_digests(self) -> bool:
        return _DIGESTS in self.prefix


@dataclass(slots=True)
class BucketPlace:
    """What lies below ``s3://bucket/prefix``, of all accounts and regions or of those that are named."""

    client: Any
    bucket: str
    prefix: str = ""
    accounts: Collection[str] = ()
    regions: Collection[str] = ()
    _roots: list[_Root] | None = field(default=None, init=False)
    _gaps: list[Gap] = field(default_factory=list, init=False)

    @property
    def name(self) -> str:
        """The place as it is recorded: with a slash at its end or without it, it is the same."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def logs(self, since: Since) -> Iterator[LogFile | Gap]:
        """Yield the log files; what cannot be listed is a gap."""
        yield from self._listed(since, digests=False)

    def digests(self, since: Since) -> Iterator[LogFile | Gap]:
        """Yield the digests; what cannot be listed is a gap."""
        yield from self._listed(since, digests=True)

    def fetch(self, file: LogFile) -> Fetched | Gap:
        """Return what the object holds, with the signature in its metadata."""
        about = f"s3://{self.bucket}/{file.key}"
        if file.size > MOST_PACKED:
            return Gap("cloudtrail.file_too_large", f"an object of {file.size:,} bytes is no file of CloudTrail", about)
        answer = ask(self.client, "GetObject", Bucket=self.bucket, Key=file.key)
        if isinstance(answer, Refusal):
            return answer.gap(about)
        try:
            data = answer["Body"].read(MOST_PACKED + 1)
        except Exception as error:
            if not is_foreign(error):
                raise
            return Gap("cloudtrail.file_unreadable", f"it cannot be read to its end: {shown(error)}", about)
        return Fetched(data, (answer.get("Metadata") or {}).get("signature"))

    def _listed(self, since: Since, *, digests: bool) -> Iterator[LogFile | Gap]:
        for root in self._find():
            if root.is_digests is digests:
                yield from self._list(root, since(root.account, root.region))
        yield from self._gaps
        self._gaps.clear()

    def _list(self, root: _Root, since: str) -> Iterator[LogFile | Gap]:
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": root.prefix}
        if since and not root.rest:
            request["StartAfter"] = f"{root.prefix}{since[:10].replace('-', '/')}/"
        while True:
            page = ask(self.client, "ListObjectsV2", **request)
            if isinstance(page, Refusal):
                yield self._refused(page, root.prefix)
                return
            for each in page.get("Contents", ()):
                file = read_name(str(each["Key"]), int(each.get("Size", 0)))
                if file is not None and bool(file.trail) is root.is_digests and file.stamp >= since:
                    yield file
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated") or not token or token == request.get("ContinuationToken"):
                return
            request["ContinuationToken"] = token

    def _find(self) -> list[_Root]:
        """Return the parts of the bucket to list; raise `BadInput` where nothing of CloudTrail is."""
        if self._roots is None:
            prefix = self.prefix
            inside = _INSIDE.fullmatch(prefix) or _INSIDE.fullmatch(f"{prefix}/")
            if inside is not None:
                prefix = prefix if inside["rest"] or prefix.endswith("/") else f"{prefix}/"
                each = (prefix, prefix.replace(_LOGS, _DIGESTS)) if _LOGS in prefix else (prefix,)
                self._roots = [_Root(name, inside["account"], inside["region"], inside["rest"]) for name in each]
            else:
                self._roots = [root for root in self._descend(prefix) if self._is_wanted(root)]
            if not self._roots and not self._gaps:
                narrowed = " of the accounts and regions named" if self.accounts or self.regions else ""
                raise BadInput(
                    f"nothing of CloudTrail{narrowed} lies below {self.name}",
                    fix="Name the bucket, or the prefix of the trail: s3://BUCKET/PREFIX.",
                )
        return self._roots

    def _is_wanted(self, root: _Root) -> bool:
        return (not self.accounts or root.account in self.accounts) and (
            not self.regions or root.region in self.regions
        )

    def _descend(self, prefix: str) -> Iterator[_Root]:
        """Yield the regions below `prefix`, by looking into the folders that the layout has, and into others once."""
        start = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
        waiting = [(start, 0)]
        looked = 0
        while waiting and looked < _MOST_LOOKED_INTO * 10:
            folder, strange = waiting.pop(0)
            looked += 1
            for below in self._folders(folder):
                word = below[len(folder) :].rstrip("/")
                inside = _INSIDE.fullmatch(below)
                if inside is not None:
                    yield _Root(below, inside["account"], inside["region"], "")
                elif word in ("AWSLogs", "CloudTrail", "CloudTrail-Digest") or re.fullmatch(
                    r"\d{12}|o-[a-z0-9]+", word
                ):
                    if not (word.isdigit() and self.accounts and word not in self.accounts):
                        waiting.append((below, strange))
                elif strange < 2 and "AWSLogs/" not in below and len(waiting) < _MOST_LOOKED_INTO:
                    waiting.append((below, strange + 1))

    def _folders(self, folder: str) -> list[str]:
        found: list[str] = []
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": folder, "Delimiter": "/"}
        while True:
            page = ask(self.client, "ListObjectsV2", **request)
            if isinstance(page, Refusal):
                if page.kind == MISSING:
                    raise BadInput(f"there is no such bucket: s3://{self.bucket}", fix="Check the name of the bucket.")
                self._gaps.append(self._refused(page, folder))
                return found
            found += [str(each["Prefix"]) for each in page.get("CommonPrefixes", ())]
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated") or not token or len(found) > 10 * _MOST_LOOKED_INTO:
                return found
            request["ContinuationToken"] = token

    def _refused(self, refusal: Refusal, prefix: str) -> Gap:
        return refusal.gap(f"s3://{self.bucket}/{prefix}")
