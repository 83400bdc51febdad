"""File names as text: every byte string has one spelling, and the spelling reads back to the same bytes."""

import re
from typing import Final

from lineal.errors import BadRef

_ESCAPED: Final = re.compile("[\x00-\x20\x7f%@\udc80-\udcff]")
_ESCAPE: Final = re.compile(r"%([0-9A-F]{2})")


def spell(raw: bytes) -> str:
    """Return the one spelling of the path `raw`.

    UTF-8 text stands as it is; blanks and control characters, ``%``, ``@`` and bytes that are not UTF-8 are written
    ``%XX``, so that a spelling fits on one line, in one word, and before the ``@`` of a reference.
    """
    text = raw.decode("utf-8", "surrogateescape")
    if _ESCAPED.search(text) is None:
        return text
    return _ESCAPED.sub(lambda match: f"%{match[0].encode('utf-8', 'surrogateescape')[0]:02X}", text)


def unspell(text: str) -> bytes:
    """Return the path that `text` spells; raise `BadRef` if `text` is not what `spell` writes."""
    if text.isascii() and _ESCAPED.search(text) is None:
        return text.encode("ascii")
    try:
        raw = re.sub(_ESCAPE, lambda match: chr(0xDC00 + int(match[1], 16)), text)
        data = b"".join(
            bytes([ord(char) - 0xDC00]) if 0xDC00 <= ord(char) <= 0xDCFF else char.encode("utf-8") for char in raw
        )
    except UnicodeEncodeError as error:
        raise BadRef(f"not a path: {text!r}") from error
    if spell(data) != text:
        raise BadRef(f"not the canonical spelling of a path: {text!r} (write {spell(data)})")
    return data
