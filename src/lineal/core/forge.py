"""Who serves repositories: the hosts that everybody knows, and servers of one's own by the name they are given."""

from typing import Final

FORGES: Final = (
    "github", "gitlab", "bitbucket", "bitbucket-server", "codecommit", "azure", "gitea", "sourcehut",
)  # fmt: skip
"""Who can serve a repository, where it is known: Forgejo is ``gitea`` here, Bitbucket Data Center is a server."""

# Other names of a host, mostly for SSH through the port of HTTPS.
_SAME_HOST: Final = {
    "www.github.com": "github.com",
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "www.bitbucket.org": "bitbucket.org",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
}
_KNOWN: Final = {
    "github.com": "github",
    "gist.github.com": "gist",
    "gitlab.com": "gitlab",
    "bitbucket.org": "bitbucket",
    "dev.azure.com": "azure",
    "codeberg.org": "gitea",
    "gitea.com": "gitea",
    "git.sr.ht": "sourcehut",
}
# A server of one's own, by the name that it is usually given.
_LABELS: Final = {
    "github": "github", "gitlab": "gitlab", "bitbucket": "bitbucket-server", "stash": "bitbucket-server",
    "gitea": "gitea", "forgejo": "gitea",
}  # fmt: skip
SMALL: Final = frozenset({"github", "gist", "gitlab", "bitbucket", "bitbucket-server", "azure", "gitea"})
"""Those that do not tell capitals from small letters in the path of a repository."""


def same_host(host: str) -> str:
    """Return the name by which `host` (in small letters) is known."""
    return _SAME_HOST.get(host, host)


def forge_of(host: str) -> str | None:
    """Return who serves at `host`, one of `FORGES` or ``gist``; None where its name does not say."""
    if host in _KNOWN:
        return _KNOWN[host]
    if host.endswith(".ghe.com"):
        return "github"
    return _LABELS.get(host.partition(".")[0]) if "." in host else None
