"""DVC's remotes: copies of the cache in a folder, in S3, behind a web server; read only.

Other kinds (SSH, Google Drive, HDFS, WebDAV, Azure, …) are named in the error: `dvc fetch` brings what they have.
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from lineal.core.redaction import clean, strip_url
from lineal.errors import BadInput, ObjectMissing, SourceError
from lineal.sources.bucket import BucketUri
from lineal.sources.dvc_cache import CHUNK, Cache, check_bytes, key_of
from lineal.sources.dvc_config import Remote
from lineal.sources.dvc_items import Oid
from lineal.sources.dvc_text import LARGEST_LIST
from lineal.sources.s3_errors import is_missing, s3_errors

_THREADS: Final = 16
_MOST_ASKED: Final = 256
_SECONDS: Final = 60.0


class Holder(Protocol):
    """Whatever has bytes by DVC's names of them."""

    def read(self, oid: Oid, limit: int = LARGEST_LIST) -> bytes | None:
        """Return the object's bytes, checked; None if it is not there."""

    def sizes(self, oids: Iterable[Oid]) -> dict[Oid, int]:
        """Return the sizes of those objects that are there."""

    def pieces(self, oid: Oid) -> Iterator[bytes]:
        """Yield the object in pieces of `CHUNK` bytes, not checked; raise `ObjectMissing` if it is not there."""

    def pieces_of(self, path: bytes, version: str | None) -> Iterator[bytes]:
        """Yield the file that lies under its own name, in this version, as `pieces` does."""


def open_remote(remote: Remote) -> Holder:
    """Return the remote, open for reading; nothing is asked of it yet. Raises `SourceError` for a kind not read."""
    if remote.scheme == "":
        return Cache(Path(remote.url))
    if remote.scheme == "s3":
        return S3Remote(remote)
    if remote.scheme in ("http", "https"):
        return HttpRemote(remote)
    raise SourceError(
        f"the remote {remote.name!r} is not read: {remote.scheme}:// is not a folder, S3 or a web server",
        fix="`dvc pull` (`dvc fetch --all-commits`) brings what it has into DVC's cache; then run the command again.",
    )


class S3Remote:
    """A bucket with the layout of the cache below its prefix, or with files under their own names."""

    def __init__(self, remote: Remote) -> None:
        self._place = BucketUri.parse(remote.url).as_prefix()
        self._prefix = self._place.key
        self._remote = remote
        self._opened: Any = None
        self._listed: dict[str, int] | None = None

    def read(self, oid: Oid, limit: int = LARGEST_LIST) -> bytes | None:
        """Return the object's bytes, checked; None if it is not there."""
        key = self._prefix + key_of(oid)
        with s3_errors(self._name(key)):
            try:
                answer = self._client.get_object(Bucket=self._place.bucket, Key=key)
            except Exception as error:
                if is_missing(error):
                    return None
                raise
            if answer["ContentLength"] > limit:
                raise BadInput(f"{self._name(key)} is larger than {limit} bytes")
            data: bytes = answer["Body"].read()
        return check_bytes(oid, data, self._name(key))

    def sizes(self, oids: Iterable[Oid]) -> dict[Oid, int]:
        """Return the sizes of those objects that are there: few are asked for, many looked up in a listing."""
        wanted = list(oids)
        if self._listed is None and len(wanted) > _MOST_ASKED:
            self._listed = self._list()
        if self._listed is not None:
            return {oid: self._listed[key] for oid in wanted if (key := self._prefix + key_of(oid)) in self._listed}
        with s3_errors(self._name(self._prefix)), ThreadPoolExecutor(_THREADS) as pool:
            _ = self._client
            found = zip(wanted, pool.map(self._size, wanted), strict=True)
            return {oid: size for oid, size in found if size is not None}

    def _size(self, oid: Oid) -> int | None:
        try:
            answer = self._client.head_object(Bucket=self._place.bucket, Key=self._prefix + key_of(oid))
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return int(answer["ContentLength"])

    def _list(self) -> dict[str, int]:
        found: dict[str, int] = {}
        with s3_errors(self._name(self._prefix)):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._place.bucket, Prefix=self._prefix):
                found.update((item["Key"], int(item["Size"])) for item in page.get("Contents", ()))
        return found

    def pieces(self, oid: Oid) -> Iterator[bytes]:
        """Yield the object in pieces of `CHUNK` bytes, not checked; raise `ObjectMissing` if it is not there."""
        return self._pieces(self._prefix + key_of(oid), None)

    def pieces_of(self, path: bytes, version: str | None) -> Iterator[bytes]:
        """Yield the object that lies under its own name, in this version, as `pieces` does."""
        return self._pieces(self._prefix + path.decode("utf-8", "surrogateescape"), version)

    def _pieces(self, key: str, version: str | None) -> Iterator[bytes]:
        more = {} if version is None else {"VersionId": version}
        with s3_errors(self._name(key)):
            try:
                answer = self._client.get_object(Bucket=self._place.bucket, Key=key, **more)
            except Exception as error:
                if is_missing(error):
                    raise ObjectMissing(f"{self._name(key)} is not there") from error
                raise
            yield from _rejoin(answer["Body"].iter_chunks(CHUNK))

    def _name(self, key: str) -> str:
        return clean(str(self._place.below(key)))

    @property
    def _client(self) -> Any:
        if self._opened is None:
            self._opened = _open_client(self._remote)
        return self._opened


def _open_client(remote: Remote) -> Any:
    try:
        import boto3
        import botocore.session
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError as error:
        raise BadInput("S3 needs more than the core of Lineal", fix="pip install 'lineal[aws]'") from error
    options = remote.options
    for name in ("credentialpath", "configpath"):
        if name in options:
            _check_settings(remote, name)
    with s3_errors(strip_url(remote.url)[0]):
        core = botocore.session.Session()
        for name, variable in (("credentialpath", "credentials_file"), ("configpath", "config_file")):
            if name in options:
                core.set_config_variable(variable, options[name])
        session = boto3.session.Session(botocore_session=core, profile_name=options.get("profile"))
        settings: dict[str, Any] = {"connect_timeout": 10, "read_timeout": _SECONDS, "max_pool_connections": _THREADS}
        settings["retries"] = {"mode": "standard", "max_attempts": 4}
        if options.get("allow_anonymous_login") == "true":
            settings["signature_version"] = UNSIGNED
        if "endpointurl" in options:
            settings["s3"] = {"addressing_style": "path"}
        verify = options.get("ssl_verify")
        return session.client(
            "s3",
            endpoint_url=options.get("endpointurl"),
            region_name=options.get("region"),
            aws_access_key_id=options.get("access_key_id"),
            aws_secret_access_key=options.get("secret_access_key"),
            aws_session_token=options.get("session_token"),
            verify={"false": False, "true": True}.get(verify.lower(), verify) if verify else None,
            config=Config(**settings),
        )


def _check_settings(remote: Remote, name: str) -> None:
    """Raise `SourceError` if the settings of AWS that a remote names lie in a repository.

    They can name a program to run for credentials, and a file to send for a token: that is the user's to say, never
    that of a repository which is only looked at.
    """
    file = Path(os.path.abspath(remote.options[name]))
    for place in (file, Path(os.path.realpath(file))):
        if any(os.path.lexists(folder / ".git") or os.path.lexists(folder / ".dvc") for folder in place.parents):
            raise SourceError(
                f"the remote {remote.name!r} takes settings of AWS from a file in a repository ({name}): not followed",
                fix="Keep them in a file of your own, such as ~/.aws/config, and name a profile of that.",
            )


class HttpRemote:
    """A web server with the layout of the cache below its address."""

    def __init__(self, remote: Remote) -> None:
        import urllib3

        self._url = remote.url.rstrip("/")
        user, password = remote.options.get("user"), remote.options.get("password")
        headers = urllib3.make_headers(basic_auth=f"{user}:{password or ''}") if user else {}
        self._pool = urllib3.PoolManager(headers=headers, timeout=urllib3.Timeout(connect=10, read=_SECONDS))

    def read(self, oid: Oid, limit: int = LARGEST_LIST) -> bytes | None:
        """Return the object's bytes, checked; None if it is not there."""
        try:
            data = bytearray()
            for piece in self.pieces(oid):
                data += piece
                if len(data) > limit:
                    raise BadInput(f"{self._name(key_of(oid))} is larger than {limit} bytes")
        except ObjectMissing:
            return None
        return check_bytes(oid, bytes(data), self._name(key_of(oid)))

    def sizes(self, oids: Iterable[Oid]) -> dict[Oid, int]:
        """Return the sizes of those objects that are there and whose size the server tells."""
        wanted = list(oids)
        with ThreadPoolExecutor(_THREADS) as pool:
            found = zip(wanted, pool.map(self._size, wanted), strict=True)
            return {oid: size for oid, size in found if size is not None}

    def _size(self, oid: Oid) -> int | None:
        answer = self._ask("HEAD", key_of(oid))
        answer.release_conn()
        length = answer.headers.get("Content-Length", "")
        return int(length) if answer.status == 200 and length.isdecimal() else None

    def pieces(self, oid: Oid) -> Iterator[bytes]:
        """Yield the object in pieces of `CHUNK` bytes, not checked; raise `ObjectMissing` if it is not there."""
        return self._pieces(key_of(oid))

    def pieces_of(self, path: bytes, version: str | None) -> Iterator[bytes]:
        """Yield the file that lies under its own name, as `pieces` does; a web server has no versions."""
        if version is not None:
            raise ObjectMissing(f"{self._name('')} keeps no versions")
        return self._pieces(quote(path))

    def _pieces(self, key: str) -> Iterator[bytes]:
        import urllib3

        answer = self._ask("GET", key)
        try:
            if answer.status == 404:
                raise ObjectMissing(f"{self._name(key)} is not there")
            if answer.status != 200:
                raise SourceError(f"{self._name(key)} cannot be had: HTTP {answer.status}")
            yield from _rejoin(answer.stream(CHUNK))
        except urllib3.exceptions.HTTPError as error:
            raise SourceError(f"{self._name(key)} cannot be had: {type(error).__name__}") from error
        finally:
            answer.release_conn()

    def _ask(self, method: str, key: str) -> Any:
        import urllib3

        try:
            return self._pool.request(method, f"{self._url}/{key}", preload_content=False, redirect=True)
        except urllib3.exceptions.HTTPError as error:
            raise SourceError(f"{self._name(key)} does not answer: {type(error).__name__}") from error

    def _name(self, key: str) -> str:
        return strip_url(f"{self._url}/{key}")[0]


def _rejoin(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of `CHUNK`, which is what the hashes of old versions of DVC depend on."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
    if waiting:
        yield bytes(waiting)
