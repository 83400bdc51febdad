"""Leave to read a repository: HTTP Basic, or the bearer tokens of the distribution project.

The token protocol is "Token Authentication Specification" and "OAuth2 Token Authentication" of the distribution project
(docs/spec/auth): the registry refuses, and says where a token for which scope is to be had.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from lineal.core.observation import Gap
from lineal.core.redaction import strip_url
from lineal.sources.oci_credentials import Credentials
from lineal.sources.oci_http import Answer, Unseen, Wire, leads_inside

_PARAMETER: Final = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME: Final = re.compile(r"(?:^|,)\s*(Basic|Bearer)(?=\s|,|$)", re.IGNORECASE)
_LIFETIME: Final = 60
_MARGIN: Final = 10.0


class Permission:
    """The header ``Authorization`` for one repository of one registry, got when asked for and renewed when it expires.

    `find` gives the credentials, once, None for anonymous access; `clock` counts seconds.
    """

    def __init__(
        self,
        wire: Wire,
        scope: str,
        find: Callable[[], Credentials | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wire, self._scope, self._find, self._clock = wire, scope, find, clock
        self._credentials: Credentials | None = None
        self._asked = False
        self._challenge: tuple[str, Mapping[str, str]] | None = None
        self._header: str | None = None
        self._until = 0.0

    @property
    def anonymous(self) -> bool:
        """Whether there are no credentials; known when leave was asked for."""
        return self._credentials is None

    def header(self) -> str | None:
        """Return the header to send, None before a registry has asked for one. Raises `Unseen`."""
        if self._challenge is not None and self._clock() >= self._until:
            self._obtain()
        return self._header

    def meet(self, refusal: Answer) -> bool:
        """Take the challenge of a 401; return whether it is worth asking again. Raises `Unseen`."""
        challenge = _read_challenge(refusal.headers.get("www-authenticate", ""))
        if challenge is None:
            return False
        self._challenge = challenge
        realm = challenge[1].get("realm", "")
        if challenge[0] == "bearer" and self._wire.is_safe(realm) and leads_inside(refusal.url, realm):
            raise Unseen(Gap("oci.unsafe", "the registry sends to this very machine for a token: not followed"))
        before = self._header
        self._obtain()
        return self._header is not None and (self._header != before or challenge[0] == "bearer")

    def _obtain(self) -> None:
        if not self._asked:
            self._credentials = self._find()
            self._asked = True
        scheme, parameters = self._challenge or ("basic", {})
        known = self._credentials
        if scheme == "basic":
            self._header = known.basic if known is not None and known.password else None
            self._until = float("inf")
        elif known is not None and known.registry_token:
            self._header, self._until = f"Bearer {known.registry_token}", float("inf")
        else:
            token, lifetime = self._ask_for_token(parameters, known)
            self._header = f"Bearer {token}"
            self._until = self._clock() + max(lifetime - _MARGIN, lifetime / 2)

    def _ask_for_token(self, parameters: Mapping[str, str], known: Credentials | None) -> tuple[str, float]:
        realm = parameters.get("realm", "")
        shown = strip_url(realm)[0]
        if not self._wire.is_safe(realm):
            raise Unseen(Gap("oci.unsafe", f"the registry wants its password sent to {shown!r}: that is not HTTPS"))
        # What we ask for is ours to say: the scope of the challenge may be wider than reading this repository.
        asked = {"service": parameters.get("service", ""), "scope": self._scope}
        if known is not None and known.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": known.identity_token,
                "client_id": "lineal",
                **asked,
            }
            answer = self._wire.ask(
                realm,
                method="POST",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
            )
        else:
            headers = {"Authorization": known.basic} if known is not None and known.password else {}
            answer = self._wire.ask(_with_query(realm, asked), headers=headers)
        if answer.status != 200:
            who = "anonymously" if known is None else "with the credentials given"
            why = f"no token {who} from {shown}: {answer.status} {answer.complaint()}".strip()
            raise Unseen(Gap("oci.denied", why))
        document = answer.document()
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or re.fullmatch(r"[\x21-\x7e]+", token) is None:
            raise Unseen(Gap("oci.malformed", f"{shown} answered without a token"))
        lifetime = document.get("expires_in")
        return token, float(lifetime) if isinstance(lifetime, int) and lifetime > 0 else float(_LIFETIME)


def read_aws_password(text: str) -> Credentials:
    """Return the credentials in an authorization token of ECR: Base64 of ``AWS:PASSWORD``. Raises `Unseen`."""
    try:
        username, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise Unseen(Gap("oci.aws", "the token of ECR is not Base64 of AWS:PASSWORD")) from error
    return Credentials(username=username, password=password)


def _read_challenge(text: str) -> tuple[str, Mapping[str, str]] | None:
    """Return scheme and parameters of a ``WWW-Authenticate`` (RFC 9110, 11.6.1); Bearer if there is a choice."""
    found: dict[str, Mapping[str, str]] = {}
    starts = list(_SCHEME.finditer(text))
    for place, start in enumerate(starts):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(text)
        pairs = _PARAMETER.findall(text[start.end() : end])
        found[start[1].lower()] = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in pairs
        }
    for scheme in ("bearer", "basic"):
        if scheme in found:
            return scheme, found[scheme]
    return None


def _with_query(url: str, more: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(each for each in (parts.query, urlencode(more)) if each)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
