"""Whether a host protects a branch, by its own word: the API of GitHub, GitLab, Gitea and Forgejo.

A branch is asked for alone: ``GET /repos/{owner}/{repo}/branches/{branch}`` (GitHub, Gitea) and ``GET
/projects/{id}/repository/branches/{branch}`` (GitLab) say ``protected``, and may be read by who may read the code.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final
from urllib.parse import quote

from lineal.core.redaction import clean, redact
from lineal.core.repository import Repository
from lineal.errors import SourceError
from lineal.sources.git_http import open_http

TIMEOUT: Final = 20.0
_LARGEST: Final = 1 << 20
_TOKEN: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class _Token:
    """The variables that may hold a token, those that say for which server it is, and the server without them."""

    forge: str
    tokens: tuple[str, ...]
    servers: tuple[str, ...]
    default: str | None = None


# A token goes to the server that it is for, and to no other that has a like name.
_TOKENS: Final = (
    _Token("github", ("GITHUB_TOKEN", "GH_TOKEN"), ("GITHUB_SERVER_URL",), "https://github.com"),
    _Token("github", ("GH_ENTERPRISE_TOKEN",), ("GH_HOST",)),
    _Token("gitlab", ("GITLAB_TOKEN",), ("GITLAB_HOST", "CI_SERVER_URL"), "https://gitlab.com"),
    _Token("gitea", ("GITEA_TOKEN",), ("GITEA_SERVER_URL",)),
)
_HEADERS: Final = {
    "github": ("Authorization", "Bearer "), "gitlab": ("PRIVATE-TOKEN", ""), "gitea": ("Authorization", "token "),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Protection:
    """What may be asked of the API of one host about one repository, `url` ending before the name of a branch."""

    url: str
    secrets: Mapping[str, str] = field(repr=False)
    timeout: float = TIMEOUT

    def is_protected(self, branch: str) -> bool:
        """Return whether the host protects `branch`; raise `SourceError` if it does not say."""
        address = self.url + quote(branch, safe="")
        try:
            with open_http(
                address, {"Accept": "application/json"}, secrets=dict(self.secrets), timeout=self.timeout
            ) as said:
                found = json.loads(said.read(_LARGEST))
        except (OSError, ValueError, HTTPException) as error:
            explanation = redact(clean(str(error)))[0][:200] or type(error).__name__
            raise SourceError(f"{address}: {explanation}") from error
        answer = found.get("protected") if isinstance(found, dict) else None
        if not isinstance(answer, bool):
            raise SourceError(f"{address} does not say whether the branch is protected")
        return answer


def open_protection(repository: Repository | None, env: Mapping[str, str]) -> Protection | None:
    """Return how the host of `repository` is asked, with the token that `env` has for that server; None without one.

    Nobody is asked without a token: strangers are soon refused, and are not told of what is private.
    """
    if repository is None or repository.forge is None or not repository.web or len(repository.path) < 2:
        return None
    for each in _TOKENS:
        token = next((env[name] for name in each.tokens if env.get(name)), "")
        server = next((env[name] for name in each.servers if env.get(name)), each.default) or ""
        at = server.rstrip("/") if "://" in server else f"https://{server}"
        if each.forge == repository.forge and at == repository.web and _TOKEN.fullmatch(token):
            header, before = _HEADERS[each.forge]
            return Protection(_api(repository), {header: f"{before}{token}"})
    return None


def _api(repository: Repository) -> str:
    parts = [quote(part, safe="") for part in repository.path]
    if repository.forge == "gitlab":
        return f"{repository.web}/api/v4/projects/{'%2F'.join(parts)}/repository/branches/"
    if repository.forge == "gitea":
        base = f"{repository.web}/api/v1"
    elif repository.host == "github.com":
        base = "https://api.github.com"
    elif repository.host.endswith(".ghe.com"):
        base = f"https://api.{repository.host}"
    else:
        base = f"{repository.web}/api/v3"
    return f"{base}/repos/{'/'.join(parts[:2])}/branches/"
