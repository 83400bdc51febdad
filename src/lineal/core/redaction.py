"""Secrets never reach the ledger: what is cut out of text, addresses and argument lists before anything is hashed.

The rules are few and precise: each knows the shape of one kind of token, so that digests, UUIDs and encoded images
stay as they are. Every cut leaves `MARK` and is counted. A value is also cut when its *name* says that it is a secret.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from lineal.core.token_rules import TOKEN_RULES, TokenRule, cut_private_keys

MARK: Final = "[redacted]"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET_WORDS: Final = _words(
    "password passwd passphrase passcode pwd secret secrets credential credentials authorization apikey authtoken "
    "accesskey secretkey privatekey accesstoken apitoken cookie dsn"
)
_SECRET_KEYS: Final = _words("api access secret private account auth signing master encryption client shared storage")
# Words before ``pass`` that make it a password, as in ``DB_PASS``; a test may pass, too.
_PASS_OF: Final = _words(
    "admin app auth basic database db ftp http imap ldap login mail mongo mysql postgres pg proxy rabbitmq redis root "
    "smtp sql ssh user"
)
_SECRET_AFTER: Final = {"key": _SECRET_KEYS, "pass": _PASS_OF}
# What a word ends with that is secret whatever is written together with it: ``PGPASSWORD``.
_SECRET_ENDS: Final = ("password", "passwd", "dbpass", "sshpass")
# Words after a secret word that say the value is not the secret itself but something about it.
_ABOUT: Final = _words("file path name arn length len size policy type count column field url uri")
# Words before ``token`` that make it a piece of text, as language models use the word.
_TEXT_TOKENS: Final = _words("pad bos eos sep cls mask unk special stop start end per next first last decoder image")
_SIGNED: Final = _words(
    "sig signature sas x-amz-signature x-amz-credential x-amz-security-token x-goog-signature x-goog-credential "
    "awsaccesskeyid"
)
# ``-Dpassword``: options of Java, Gradle and CMake put a letter before the name that they define.
_DEFINE: Final = re.compile(r"^-[A-Z](?=[a-z])")
# ``--user NAME:PASSWORD``, and ``-u`` of curl; two numbers are a user and a group.
_USER_OPTION: Final = re.compile(r"--(?:proxy-)?user")
_USER_VALUE: Final = re.compile(r"(?P<keep>(?!\d+:\d+$)[^\s:/]+:)(?![$\[<{])[^\s:]{4,}")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")

_KEYWORD: Final = r"(?:pass|pwd|secret|token|key|credential|authorization|cookie|dsn)"
_NAME: Final = rf"(?<![\w.-])(?P<name>[\w.-]{{0,60}}?{_KEYWORD}[\w.-]{{0,20}})"
_BARE: Final = r"[^\s\"'(){}\[\],;&<>$`\\]{4,}+(?![(\[{])"


def _named(before: str, value: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<keep>{before})(?P<value>{value})", re.IGNORECASE)


_QUOTED: Final = _named(
    rf"{_NAME}\\?[\"']?[ \t]{{0,8}}(?::=|=>|[:=])[ \t]{{0,8}}[bru]?\\?(?P<quote>[\"'])",
    r"[^\"'\r\n\\]{4,}(?=\\?(?P=quote))",
)
_TIGHT: Final = _named(rf"{_NAME}=", _BARE)
_SPACED: Final = _named(rf"{_NAME}[ \t]{{0,8}}[:=][ \t]{{0,8}}", _BARE)
_OPTION: Final = _named(rf"(?<![\w-])(?=--?[A-Za-z]){_NAME}[ \t]+", r"[^\s\"'-][^\s\"']{3,}")
_CANDIDATE: Final = re.compile(
    rf"{_KEYWORD}[\w.-]{{0,20}}+(?:\\?[\"']?[ \t]{{0,8}}(?::=|=>|[:=])|[ \t])", re.IGNORECASE
)
_USERINFO: Final = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]{1,20}://)(?P<user>[^\s/\"'<>?#]{1,512})@")
# A password that was not escaped ends the host for whoever parses it: what follows the colon is no port then.
_UNESCAPED: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,20}://)(?P<user>[^\s/:@\[\"'<>?#]{0,512}:(?!\d*(?:[/?#]|$))\S{0,512})@"
)
_WITH_USER: Final = ("ssh://", "git+ssh://", "ssh+git://", "git://")
_QUERY: Final = re.compile(r"(?P<keep>[?&;](?P<name>[A-Za-z0-9_.%-]{1,60})=)(?P<value>[^\s&#\"'<>]{1,4096})")
_HINTS: Final = tuple(dict.fromkeys(hint for rule in TOKEN_RULES for hint in rule.hints))
_NO_VALUES: Final = frozenset({"", "true", "false", "none", "null", MARK})
# What stands where a secret would, and is none: names in code, types, placeholders.
_PLACEHOLDER: Final = re.compile(
    r"(?:none|null|nil|true|false|str|string|bytes|int|bool|any|optional|undefined|todo|changeme|example|x+|\*+|\.+"
    r"|(?:self|cls|os|args|config|cfg|settings|env|environ|opts|options|params|request|kwargs|secrets|getpass)\..*"
    r"|\$\{?.*|<.*>?|%\(?.*|\{.*\}?|arn:.*|\[redacted\].*)",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether a variable, option or field of this `name` is secret: ``db_password``, ``hfToken``, ``--api-key``.

    Names about secrets (``password_file``) and the tokens of language models (``pad_token``, ``max_tokens``) do not.
    """
    words = [word.lower().rstrip("0123456789") for word in _HUMP.split(_DEFINE.sub("", name)) if word]
    words = [word for word in words if word]
    if not words or words[-1] in _ABOUT:
        return False
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if word == "token":
            if place == len(words) - 1 and before not in _TEXT_TOKENS:
                return True
        elif word in _SECRET_WORDS or word.endswith(_SECRET_ENDS) or before in _SECRET_AFTER.get(word, ()):
            return True
    return False


def clean(value: str | bytes) -> str:
    """Return `value` as text that can stand in a canonical document: bytes that are not UTF-8 become ``\\xNN``."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    try:
        return clean(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return clean(value.encode("utf-8", "surrogatepass"))


def redact(text: str) -> tuple[str, int]:
    """Return `text` with every secret that a rule knows replaced by `MARK`, and how many were replaced."""
    text, count = cut_private_keys(text, MARK)
    if _is_hinted(text):
        for rule in TOKEN_RULES:
            text, found = _apply(rule, text)
            count += found
    text, found = _redact_addresses(text)
    count += found
    text, found = _redact_named(text)
    return text, count + found


def redact_bytes(data: bytes) -> tuple[bytes, int]:
    """Return `data` (a patch, the tail of an output) redacted as `redact` does, every other byte as it was."""
    text, count = redact(data.decode("latin-1"))
    return (text.encode("latin-1"), count) if count else (data, 0)


def redact_value(name: str, value: str) -> tuple[str, int]:
    """Return the `value` of a variable or parameter called `name`, redacted by its name or by its shape."""
    if value.lower() not in _NO_VALUES and is_secret_name(name):
        return MARK, 1
    return redact(value)


def redact_argv(argv: Sequence[str]) -> tuple[list[str], int]:
    """Return the arguments with secrets replaced, and how many were: ``--token X``, ``--token=X``, ``TOKEN=X`` too."""
    found: list[str] = []
    count = 0
    secret_follows = False
    user_follows = False
    for raw in argv:
        argument = clean(raw)
        if user_follows:
            argument, cuts = _USER_VALUE.subn(_mark, argument) if _USER_VALUE.fullmatch(argument) else (argument, 0)
            count += cuts
        user_follows = _USER_OPTION.fullmatch(argument) is not None or (argument in {"-u", "-U"} and _is_curl(argv))
        name, equals, value = argument.partition("=")
        if secret_follows and not argument.startswith("--"):
            kept, cuts = (MARK, 1) if argument else ("", 0)
        elif equals and not re.search(r"\s|://", name) and is_secret_name(name):
            kept, cuts = redact_value(name, value)
            kept = f"{name}={kept}"
        else:
            kept, cuts = redact(argument)
        secret_follows = argument.startswith("-") and not equals and is_secret_name(argument)
        found.append(kept)
        count += cuts
    return found, count


def _is_curl(argv: Sequence[str]) -> bool:
    return bool(argv) and clean(argv[0]).rpartition("/")[2] == "curl"


def strip_url(url: str) -> tuple[str, int]:
    """Return an address without credentials, and how many were cut: user information goes, unless it is an SSH user."""
    text = clean(url)
    match = _USERINFO.match(text) or _UNESCAPED.match(text)
    cuts = 0
    if match is not None:
        user, _, password = match["user"].partition(":")
        keep = match["scheme"].lower() in _WITH_USER and redact(user)[1] == 0
        text = match["scheme"] + (f"{user}@" if keep else "") + text[match.end() :]
        cuts = int(bool(password) or not keep)
    text, found = redact(text)
    return text, cuts + found


def _is_hinted(text: str) -> bool:
    for hint in _HINTS:  # noqa: SIM110 — most texts have none, and this is the quickest to tell
        if hint in text:
            return True
    return False


def _apply(rule: TokenRule, text: str) -> tuple[str, int]:
    if not any(hint in text for hint in rule.hints):
        return text, 0
    return rule.pattern.subn(_mark, text)


def _mark(match: re.Match[str]) -> str:
    return (match.groupdict().get("keep") or "") + MARK


def _redact_addresses(text: str) -> tuple[str, int]:
    if "://" not in text:
        return text, 0
    count = 0

    def user(match: re.Match[str]) -> str:
        nonlocal count
        name, colon, password = match["user"].partition(":")
        web = match["scheme"].lower() in ("http://", "https://")
        if (not web and not colon) or MARK in match["user"] or _PLACEHOLDER.fullmatch(password or name):
            return match[0]
        count += 1
        return f"{match['scheme']}{MARK}@"

    def query(match: re.Match[str]) -> str:
        nonlocal count
        if match["value"] == MARK or not (match["name"].lower() in _SIGNED or is_secret_name(match["name"])):
            return match[0]
        count += 1
        return match["keep"] + MARK

    return _QUERY.sub(query, _USERINFO.sub(user, text)), count


def _redact_named(text: str) -> tuple[str, int]:
    """Cut values beside a secret name. Only the lines that have one are looked at closely: this keeps it linear."""
    pieces: list[str] = []
    count = done = 0
    for match in _CANDIDATE.finditer(text):
        if match.start() < done:
            continue
        first = max(done, text.rfind("\n", done, match.start()) + 1)
        last = text.find("\n", match.end())
        last = len(text) if last < 0 else last
        line, found = _redact_line(text[first:last])
        pieces += (text[done:first], line)
        count += found
        done = last
    return "".join([*pieces, text[done:]]), count


def _redact_line(text: str) -> tuple[str, int]:
    count = 0

    def cut(match: re.Match[str]) -> str:
        nonlocal count
        value = match["value"]
        if not is_secret_name(match["name"]) or _PLACEHOLDER.fullmatch(value) or value == match["name"]:
            return match[0]
        count += 1
        return match["keep"] + MARK

    def cut_spaced(match: re.Match[str]) -> str:
        # Blanks around the sign are how code is written: no digits, dots or a secret's name is code.
        value = match["value"]
        named = len(value) < 32 and is_secret_name(value)
        code = re.fullmatch(r"[A-Za-z_][\w.]*", value) and ("." in value or named)
        return match[0] if code or not re.search(r"\d", value) else cut(match)

    for pattern, replace in ((_QUOTED, cut), (_TIGHT, cut), (_OPTION, cut), (_SPACED, cut_spaced)):
        text = pattern.sub(replace, text)
    return text, count
