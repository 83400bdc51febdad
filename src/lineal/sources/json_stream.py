"""JSON read a little at a time (RFC 8259): documents one after the other, in lists, or in the list of an envelope.

What is read is given away piece by piece, so that no file is too large. Where it is broken, what came before stays
read, and it is said where: reading goes on at the next line, as in JSON Lines. A line that is indented deeper than the
one where the broken document begins is taken for a part of it: nothing inside of a document passes for one.
"""

import codecs
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

LONGEST: Final = 8 * 1024 * 1024
"""So many characters one document may have that is not read element by element."""
NO_LIST: Final = "there is no list"
_DEEPEST: Final = 4
_STEP: Final = 1 << 20
_EDGE: Final = 32  # characters of a word or number that may go on in the next piece
_BETWEEN: Final = re.compile("[ \t\r\n,\x1e\ufeff]*")
_SPACE: Final = re.compile("[ \t\r\n]*")
_DEEPLY: Final = 1000  # characters that a line may be indented: what is deeper is as deep as that


@dataclass(frozen=True, slots=True)
class Broken:
    """What is no JSON: where it is, and why; `is_last` says that nothing after it can be read."""

    why: str
    is_last: bool = False


class _BreakError(Exception):
    """Reading cannot go on at a place in the text; `is_fresh` says that what stands there may be a document."""

    def __init__(self, why: str, at: int, *, is_fresh: bool = False) -> None:
        super().__init__(why)
        self.why, self.at, self.is_fresh = why, at, is_fresh


class JsonStream:
    """Reads the documents in `pieces` (UTF-8), those of lists and of the members `lists` of envelopes one by one.

    An object is read whole if it is JSON of at most `longest` characters, else as an envelope. With `enveloped`, the
    one document must be a list or an envelope.
    """

    def __init__(
        self, pieces: Iterable[bytes], lists: Collection[str], *, longest: int = LONGEST, enveloped: bool = False
    ) -> None:
        self._pieces, self._lists, self._longest, self._enveloped = iter(pieces), lists, longest, enveloped
        self._deepest = 1 if enveloped else _DEEPEST
        self._scan = json.JSONDecoder().raw_decode
        self._text = ""
        self._place = 0
        self._rest = b""
        self._read = self._lines = self._bytes = 0
        self._ill = -1
        self._begin = -1  # where the document begins, -1 between two; nothing of it is forgotten before it gave a value
        self._last = 0  # behind the last value given
        self._start = 0  # where the value that is read begins, -1 if that is forgotten
        self._indent = 0  # how deep the line was indented on which it began
        self._before = ""  # how the line begins that the text begins in the middle of
        self._gave = False

    def documents(self) -> Iterator[Any | Broken]:
        """Yield each document, and a `Broken` for what is none."""
        while self._skip(_BETWEEN):
            self._begin, self._gave = self._place, False
            try:
                yield from self._value(0)
            except _BreakError as error:
                if self._ill < 0 or error.at < len(self._text) - _EDGE:
                    yield self._broken(error)
                self._resume(error)
            self._begin = -1
            if self._enveloped:
                break
            self._drop()
        else:
            if self._enveloped and self._ill < 0:
                yield Broken(f"it is empty: {NO_LIST}")
        if self._ill >= 0:
            yield Broken(f"not UTF-8 from byte {self._ill:,} on: nothing after that is read", is_last=True)

    def _value(self, depth: int) -> Iterator[Any]:
        self._start = self._place
        first = self._text[self._place]
        if first == "[" and depth < self._deepest:
            yield from self._list(depth)
        elif self._enveloped and depth == 0:
            if first != "{":
                raise _BreakError(NO_LIST, self._place)
            yield from self._envelope(depth)
        else:
            start = self._place
            try:
                value = self._decode()
            except _BreakError:
                if first != "{" or depth >= self._deepest:
                    raise
                self._place = start
                yield from self._envelope(depth)
                return
            self._last, self._gave = self._place, True
            yield value
            self._drop()

    def _list(self, depth: int) -> Iterator[Any]:
        self._place += 1
        if self._next("a list") == "]":
            self._place += 1
            return
        while True:
            yield from self._value(depth + 1)
            if self._next("a list") not in ",]":
                raise _BreakError("neither a comma nor the end of a list", self._place, is_fresh=True)
            self._place += 1
            if self._text[self._place - 1] == "]":
                return
            self._next("a list")

    def _envelope(self, depth: int) -> Iterator[Any]:
        """Yield what stands in the lists of an object; its other members are read, and left out."""
        self._place += 1
        ended, found = self._next("an object") == "}", False
        while not ended:
            name = self._decode()
            if self._next("an object") != ":" or not isinstance(name, str):
                raise _BreakError("an object without a name", self._place)
            self._place += 1
            if self._next("an object") == "[" and name in self._lists:
                found = True
                yield from self._list(depth)
            else:
                self._decode()
            if not self._gave and self._place - self._begin > self._longest:
                raise _BreakError(f"over {self._longest:,} characters long", self._begin)
            self._drop()
            after = self._next("an object")
            if after not in ",}":
                raise _BreakError("neither a comma nor the end of an object", self._place)
            ended = after == "}"
            self._place += 0 if ended else 1
            self._next("an object")
        self._place += 1
        if self._enveloped and not found:
            raise _BreakError(NO_LIST, self._place)

    def _decode(self) -> Any:
        """Return the value at this place, and go behind it."""
        while True:
            try:
                value, end = self._scan(self._text, self._place)
            except json.JSONDecodeError as error:
                is_cut = error.pos >= len(self._text) - _EDGE or error.msg.startswith("Unterminated string")
                if is_cut and self._grow():
                    continue
                ends = is_cut and (error.msg.startswith("Unterm") or error.pos >= len(self._text.rstrip()))
                raise _BreakError("it ends in the middle" if ends else error.msg, error.pos) from None
            except (ValueError, RecursionError) as error:
                raise _BreakError(str(error)[:80], self._place) from None
            if end > len(self._text) - _EDGE and self._text[end - 1] not in '}]"' and self._grow():
                continue
            self._place = end
            return value

    def _next(self, what: str) -> str:
        """Go to the next character that is no space, and return it."""
        if not self._skip(_SPACE):
            raise _BreakError(f"it ends inside of {what}", self._place)
        return self._text[self._place]

    def _skip(self, spaces: re.Pattern[str]) -> bool:
        """Go to the next character that is not one of `spaces`; return whether there is one."""
        while True:
            match = spaces.match(self._text, self._place)
            self._place = self._place if match is None else match.end()
            if self._place < len(self._text):
                return True
            self._drop(0)
            if not self._fill():
                return False

    def _grow(self) -> bool:
        """Read on, as much again as there is from this place on; return False at the end."""
        held = len(self._text) - self._place
        if held > self._longest:
            raise _BreakError(f"over {self._longest:,} characters long", self._place)
        wanted, grown = len(self._text) + held, False
        while len(self._text) <= wanted and self._fill():
            grown = True
        return grown

    def _fill(self) -> bool:
        """Read one piece more; return False at the end, or where it is not UTF-8 any more."""
        if self._ill >= 0:
            return False
        for piece in self._pieces:
            data = self._rest + piece
            try:
                text, used = codecs.utf_8_decode(data, "strict", False)
            except UnicodeDecodeError as error:
                text, used = data[: error.start].decode(), error.start
                self._ill = self._read + used
            self._rest = data[used:]
            self._read += used
            self._text += text
            if text or self._ill >= 0:
                return bool(text)
        if self._rest:
            self._ill = self._read
        return False

    def _drop(self, least: int = _STEP) -> None:
        """Forget what is read of the text, if that is much, and would not be read again after a break."""
        end = self._place
        if self._begin >= 0 and end - self._last <= self._longest:
            end = self._last if self._gave else 0
        if end > least:
            gone = self._text[:end]
            if 0 <= self._start < end:
                self._indent, self._start = self._indented(), -1
            self._bytes += len(gone.encode())
            self._lines += gone.count("\n")
            self._before = self._line_to(end)[:_DEEPLY]
            self._text = self._text[end:]
            self._last, self._place = max(0, self._last - end), self._place - end
            self._start = max(-1, self._start - end)

    def _indented(self) -> int:
        """Return how deep the line is indented on which the value begins that is read."""
        line = self._line_to(self._start)
        return self._indent if self._start < 0 else min(len(line) - len(line.lstrip(" \t")), _DEEPLY)

    def _line_to(self, place: int) -> str:
        """Return the line in which `place` of the text is, as far as that; of what is forgotten its beginning."""
        line = self._text.rfind("\n", 0, max(0, place)) + 1
        return ("" if line else self._before) + self._text[line : max(0, place)]

    def _broken(self, error: _BreakError) -> Broken:
        before = self._text[: error.at]
        line, byte = self._lines + before.count("\n") + 1, self._bytes + len(before.encode())
        return Broken(f"not JSON from line {line:,}, byte {byte:,} on: {error.why}")

    def _resume(self, error: _BreakError) -> None:
        """Go to where reading goes on after a break: the next line after it, or after where the document begins.

        The latter where nothing of the document was given: then the lines after the first may be some by themselves.
        """
        at = error.at if self._gave else self._begin
        if self._gave and error.is_fresh:
            start = self._text.rfind("\n", self._last, at) + 1
            if start and not self._text[start:at].strip():
                self._place = at
                return
        depth, self._begin, self._place = self._indented(), -1, at
        while self._go_to_line():
            while True:
                held = self._text[self._place : self._place + depth + 1]
                if len(held) > depth or held.strip(" \t\r") or not self._fill():
                    break
            if (first := held.strip(" \t\r")[:1]) and first != "\n":
                return

    def _go_to_line(self) -> bool:
        """Go to where the next line begins, to the end where there is none; return whether there is one."""
        while (end := self._text.find("\n", self._place)) < 0:
            self._place = len(self._text)
            self._drop(0)
            if not self._fill():
                return False
        self._place = end + 1
        return True
