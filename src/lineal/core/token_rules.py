"""The shapes of secrets: one rule for one kind of token, precise enough to leave digests and images alone.

Sources: the token formats that the issuers document (AWS IAM identifiers, GitHub and GitLab token prefixes, Slack,
Google, Azure, RFC 7519 for JWT, RFC 7468 for PEM).
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class TokenRule:
    """One kind of token: text without any of `hints` holds none; group ``keep`` of `pattern` stays, the rest goes."""

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


def _rule(name: str, hints: str, pattern: str, flags: int = 0) -> TokenRule:
    return TokenRule(name, tuple(hints.split()), re.compile(pattern, flags))


_FROM: Final = r"(?<![A-Za-z0-9_])"
_TO: Final = r"(?![A-Za-z0-9_])"
_KEY: Final = r"(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
# What follows the first line of a PEM key (RFC 7468), also quoted, escaped or in a diff; never prose, never code.
_KEY_LINE: Final = r"[\s\"',+]|(?<=\n)-|\\[nr]|(?:Proc-Type|DEK-Info|Version|Comment): [^\n]{0,200}|[A-Za-z0-9+/=]{8,}+"
_KEY_TAIL: Final = rf"(?:[A-Za-z0-9+/=]{{1,7}}(?:\s|\\[nr])*+)?(?:[+-]?-----END {_KEY})?"
_PRIVATE_KEY: Final = re.compile(rf"-----BEGIN {_KEY}(?P<body>(?:{_KEY_LINE})*+{_KEY_TAIL})")
_KEY_END: Final = re.compile(rf"-----END {_KEY}")
_KEY_CONTENT: Final = re.compile(r"[A-Za-z0-9+/=]{16}")
_KEY_REST: Final = re.compile(r"[+-]?([A-Za-z0-9+/=]{1,80})(?:\s|\\[nr])+")
_LONGEST_KEY: Final = 16_384

TOKEN_RULES: Final[tuple[TokenRule, ...]] = (
    _rule("AWS access key", "AKIA ASIA ABIA ACCA", rf"{_FROM}(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{{16}}{_TO}"),
    _rule("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rf"{_FROM}gh[pousr]_[A-Za-z0-9]{{36,255}}{_TO}"),
    _rule("GitHub fine-grained token", "github_pat_", rf"{_FROM}github_pat_[A-Za-z0-9]{{22}}_[A-Za-z0-9]{{59}}{_TO}"),
    _rule(
        "GitLab token",
        "glpat- glptt- gldt- glrt- glsoat- glcbt- glimt- glft- glagent- gloas-",
        rf"{_FROM}gl(?:pat|ptt|dt|rt|soat|cbt|imt|ft|agent|oas)-[A-Za-z0-9_=-]{{20,}}(?:\.[0-9a-z.]{{5,}})?",
    ),
    _rule("Slack token", "xox xapp-", rf"{_FROM}(?:xox[abeoprs]-[A-Za-z0-9-]{{10,}}|xapp-\d-[A-Za-z0-9-]{{10,}})"),
    _rule(
        "Slack webhook",
        "hooks.slack.com",
        r"(?P<keep>hooks\.slack\.com/(?:services|workflows|triggers)/)[A-Za-z0-9/_+-]{20,}",
    ),
    _rule("Google API key", "AIza", rf"{_FROM}AIza[A-Za-z0-9_-]{{35}}(?![A-Za-z0-9_-])"),
    _rule("Google access token", "ya29.", rf"{_FROM}ya29\.[A-Za-z0-9_-]{{20,}}"),
    _rule("Google client secret", "GOCSPX-", rf"{_FROM}GOCSPX-[A-Za-z0-9_-]{{28}}"),
    _rule("Azure storage key", "AccountKey=", r"(?P<keep>AccountKey=)[A-Za-z0-9+/]{86}=="),
    _rule("JSON Web Token", "eyJ", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    _rule("Anthropic key", "sk-ant-", rf"{_FROM}sk-ant-[A-Za-z0-9_-]{{20,}}"),
    _rule(
        "OpenAI key",
        "sk-",
        rf"{_FROM}(?:sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{{20,}}|sk-[A-Za-z0-9]{{48}}{_TO})",
    ),
    _rule("Hugging Face token", "hf_ api_org_", rf"{_FROM}(?:hf|api_org)_[A-Za-z]{{34}}{_TO}"),
    _rule("Stripe key", "_live_ _test_", rf"{_FROM}(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{{16,}}{_TO}"),
    _rule("SendGrid key", "SG.", rf"{_FROM}SG\.[A-Za-z0-9_-]{{22}}\.[A-Za-z0-9_-]{{43}}"),
    _rule("npm token", "npm_", rf"{_FROM}npm_[A-Za-z0-9]{{36}}{_TO}"),
    _rule("PyPI token", "pypi-AgE", rf"{_FROM}pypi-AgE[A-Za-z0-9_-]{{50,}}"),
    _rule("Databricks token", "dapi", rf"{_FROM}dapi[0-9a-f]{{32}}(?:-\d)?{_TO}"),
    _rule("DigitalOcean token", "_v1_", rf"{_FROM}do[opr]_v1_[0-9a-f]{{64}}{_TO}"),
    _rule("Docker token", "dckr_pat_", rf"{_FROM}dckr_pat_[A-Za-z0-9_-]{{20,}}"),
    _rule("Vault token", "hvs. hvb. hvr.", rf"{_FROM}hv[sbr]\.[A-Za-z0-9_-]{{24,}}"),
    _rule("Twilio key", "SK", rf"{_FROM}SK[0-9a-f]{{32}}{_TO}"),
    _rule(
        "curl user",
        "curl",
        r"(?P<keep>\bcurl\b[^\n;|&]{0,400}?\s(?:-[uU]|--(?:proxy-)?user)[ =]?[\"']?[^\s:/\"']{1,100}:)"
        r"(?![$\[<{])[^\s:\"']{4,}",
    ),
    _rule(
        "authorization header",
        "uthorization UTHORIZATION",
        r"(?P<keep>\b(?:proxy-)?authorization\\?[\"']?\s{0,4}[:=,]\s{0,4}\\?[\"']?(?:basic|bearer|token)\s{1,4})"
        r"[A-Za-z0-9._~+/=-]{6,}",
        re.IGNORECASE,
    ),
)


def cut_private_keys(text: str, mark: str) -> tuple[str, int]:
    """Return `text` with `mark` for every PEM private key, and how many there were.

    A key whose first or last lines were cut off (the tail of an output) is found by what is left of it.
    """
    if "PRIVATE KEY" not in text:
        return text, 0
    count = 0

    def cut(match: re.Match[str]) -> str:
        nonlocal count
        if _KEY_CONTENT.search(match["body"]) is None:
            return match[0]
        count += 1
        return mark

    text = _PRIVATE_KEY.sub(cut, text)
    pieces: list[str] = []
    done = 0
    for end in _KEY_END.finditer(text):
        window = max(done, end.start() - _LONGEST_KEY)
        first = _rest_of_key(text[window : end.start()])
        if first is not None:
            pieces += (text[done : window + first], mark)
            done = end.end()
            count += 1
    return "".join([*pieces, text[done:]]), count


def _rest_of_key(text: str) -> int | None:
    """Return where the last lines of a key begin, when `text` ends with some.

    Only the last line of a key is short, and the first one here, if the text itself begins in the middle of it.
    """
    begin = len(text)
    for line in reversed(re.split(r"(?<=\n)|(?<=\\n)", text)):
        match = _KEY_REST.fullmatch(line)
        if line and (match is None or (len(match[1]) < 32 and begin != len(text) and begin != len(line))):
            break
        begin -= len(line)
    return begin if _KEY_CONTENT.search(text, begin) is not None else None
