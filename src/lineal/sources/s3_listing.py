"""Listing S3: the pages of botocore, read by a parser that does only that.

botocore signs, sends and tries again; what it takes longest over is turning each page of XML into nested dictionaries.
A handler takes the page before that, in a fifth of the time. Every key comes as it is, also those that other clients
cannot spell (``a//b``, ``/a``, ``dir/``).
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import unquote_plus

from lineal.errors import SourceError
from lineal.sources.bucket import Listed
from lineal.sources.s3_errors import s3_errors

_OPERATIONS: Final = ("ListObjectsV2", "ListObjectVersions")
_ENTRIES: Final = frozenset({"Contents", "Version", "DeleteMarker"})
_PAGE: Final = 1000
_READ: Final = "LinealPage"


def prepare(client: Any) -> None:
    """Let listings of `client` be read by this module's parser."""
    for operation in _OPERATIONS:
        take = partial(_take_page, history=operation == _OPERATIONS[1])
        client.meta.events.register(f"before-parse.s3.{operation}", take, f"lineal-{operation}")


def list_pages(client: Any, bucket: str, prefix: str, *, history: bool) -> Iterator[list[Listed]]:
    """Yield what lies below `prefix`, up to 1000 objects at a time; with `history` every version and delete marker.

    `client` was prepared. Raises `SourceError` when a page is refused or broken: what came before is not the whole.
    """
    call = client.list_object_versions if history else client.list_objects_v2
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": _PAGE, "EncodingType": "url"}
    what = f"the listing of s3://{bucket}/{prefix}"
    seen: set[tuple[str | None, ...]] = set()
    while True:
        with s3_errors(what):
            page = call(**request)[_READ]
        yield page["items"]
        if not page["truncated"]:
            return
        marks = _next(page, history=history)
        if not any(marks.values()) or (place := tuple(marks.values())) in seen:
            raise SourceError(f"{what} has no end: the server names no next page, or one that it gave already")
        seen.add(place)
        request.update({name: value for name, value in marks.items() if value is not None})


def _next(page: dict[str, Any], *, history: bool) -> dict[str, str | None]:
    if history:
        return {
            "KeyMarker": page["NextKeyMarker"],
            "VersionIdMarker": page["NextVersionIdMarker"],
        }
    return {"ContinuationToken": page["NextContinuationToken"]}


def _take_page(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], *, history: bool, **_: Any
) -> None:
    if response_dict["status_code"] != 200:
        return
    body = response_dict["body"]
    try:
        # botocore reads the same bytes with the same parser, whose expat limits what entities can grow to.
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError as error:
        raise SourceError(f"the store sent a page of a listing that is broken: {error}") from error
    space = root.tag[: root.tag.index("}") + 1] if root.tag.startswith("{") else ""
    customized_response_dict[_READ] = _read_page(root, len(space), history=history)
    name = "ListVersionsResult" if history else "ListBucketResult"
    response_dict["body"] = f"<{name}/>".encode()


def _read_page(root: ElementTree.Element, cut: int, *, history: bool) -> dict[str, Any]:
    page: dict[str, Any] = {
        "truncated": None,
        "NextContinuationToken": None,
        "NextKeyMarker": None,
        "NextVersionIdMarker": None,
    }
    items: list[Listed] = []
    encoded = any(child.tag[cut:] == "EncodingType" and child.text == "url" for child in root)
    for child in root:
        tag = child.tag[cut:]
        if tag in _ENTRIES:
            items.append(_read_item(child, cut, deleted=tag == "DeleteMarker", encoded=encoded, history=history))
        elif tag == "IsTruncated":
            page["truncated"] = child.text == "true"
        elif tag in page:
            page[tag] = child.text or None
    if page["truncated"] is None:
        raise SourceError("the store sent a page of a listing that does not say whether it is the last")
    if encoded and page["NextKeyMarker"] is not None:
        page["NextKeyMarker"] = unquote_plus(page["NextKeyMarker"])
    return {**page, "items": items}


def _read_item(node: ElementTree.Element, cut: int, *, deleted: bool, encoded: bool, history: bool) -> Listed:
    key, etag, size, version, current = "", None, 0, None, True
    algorithms: list[str] = []
    for child in node:
        tag, text = child.tag[cut:], child.text or ""
        if tag == "Key":
            key = unquote_plus(text) if encoded and ("%" in text or "+" in text) else text
        elif tag == "ETag":
            etag = text.strip('"') or None
        elif tag == "Size":
            size = int(text)
        elif tag == "VersionId":
            version = text or None
        elif tag == "IsLatest":
            current = text == "true"
        elif tag == "ChecksumAlgorithm":
            algorithms.append(text)
    return Listed(
        key=key,
        size=size,
        etag=etag,
        version=version if history else None,
        current=current,
        deleted=deleted,
        sha256="SHA256" in algorithms if algorithms else None,
    )
