"""Web addresses that always show the same: a commit, or a file as it was in a commit."""

import re
from typing import Final
from urllib.parse import quote

from lineal.core.repository import Repository
from lineal.errors import BadInput

COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

# By who serves the repository: the page of a commit, and that of a file in it, below the page of the repository.
_PAGES: Final = {
    "github": ("commit/{commit}", "blob/{commit}/{file}"),
    "gitlab": ("-/commit/{commit}", "-/blob/{commit}/{file}"),
    "bitbucket": ("commits/{commit}", "src/{commit}/{file}"),
    "bitbucket-server": ("commits/{commit}", "browse/{file}?at={commit}"),
    "gitea": ("commit/{commit}", "src/commit/{commit}/{file}"),
    "azure": ("commit/{commit}", "?path=/{file}&version=GC{commit}"),
    "codecommit": ("commit/{commit}?region={region}", "browse/{commit}/--/{file}?region={region}"),
    "sourcehut": ("commit/{commit}", "tree/{commit}/item/{file}"),
}
_REGION: Final = re.compile(r"git-codecommit\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")


def permalink(repository: Repository, commit: str, file: bytes | None = None) -> str | None:
    """Return the address of the page that shows `commit`, or `file` in it; None where the host's pages are not known.

    Raises `BadInput` if `commit` is not a commit in full.
    """
    if COMMIT.fullmatch(commit) is None:
        raise BadInput(f"not a git commit in full: {commit!r}")
    base, region = _base(repository)
    if base is None or repository.forge not in _PAGES:
        return None
    page = _PAGES[repository.forge][0 if file is None else 1]
    shown = page.format(commit=commit, file=quote(file or b"", safe="/"), region=region)
    return f"{base}{shown}" if shown.startswith("?") else f"{base}/{shown}"


def _base(repository: Repository) -> tuple[str | None, str]:
    """Return the page of the repository and, on AWS, its region."""
    parts = [quote(part, safe="~") for part in repository.path]
    if repository.forge == "codecommit":
        found = _REGION.match(repository.host)
        if found is None or len(parts) < 3:
            return None, ""
        region = found["region"]
        domain = "amazonaws.cn" if region.startswith("cn-") else "aws.amazon.com"
        domain = "amazonaws-us-gov.com" if region.startswith("us-gov-") else domain
        return f"https://{region}.console.{domain}/codesuite/codecommit/repositories/{parts[2]}", region
    if not parts or not repository.web:
        return None, ""
    if repository.forge == "azure" and len(parts) > 1:
        return "/".join([repository.web, *parts[:-1], "_git", parts[-1]]), ""
    if repository.forge == "bitbucket-server":
        if len(parts) != 2:
            return None, ""
        owner = f"users/{parts[0][1:]}" if parts[0].startswith("~") else f"projects/{parts[0].upper()}"
        return f"{repository.web}/{owner}/repos/{parts[1]}", ""
    return "/".join([repository.web, *parts]), ""
