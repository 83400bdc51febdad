"""Whether the signature of a commit holds, as far as it can be told here: by gpg, gpgsm and ssh-keygen, through git."""

from dataclasses import dataclass
from typing import Any, Final

from lineal.core.redaction import clean
from lineal.sources.git_objects import Commit
from lineal.sources.git_program import Git

# What git's %G? says (git-log, PRETTY FORMATS).
_STATES: Final = {
    "G": "good", "B": "bad", "U": "good_untrusted", "X": "expired", "Y": "expired_key", "R": "revoked_key",
    "E": "unknown_key",
}  # fmt: skip
_SAID: Final = {
    "good": "the signature is good, by a key that is trusted here",
    "good_untrusted": "the signature is good; the key is known here, and nothing says whose it is",
    "bad": "the signature is not of these bytes",
    "expired": "the signature was good and has expired",
    "expired_key": "the signature is good; its key has expired",
    "revoked_key": "the signature is by a key that was revoked",
    "unknown_key": "the signature is by a key that is not known here",
    "unsigned": "the commit carries no signature",
    "unchecked": "the commit carries a signature that could not be checked here",
}
KNOWN: Final = frozenset(_SAID) - {"unchecked"}
REFUSED: Final = frozenset({"bad", "revoked_key"})


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of a commit's signature: `kind` (``openpgp``, ``ssh``, ``x509``), `state`, whose key it was."""

    kind: str | None
    state: str
    key: str | None = None
    signer: str | None = None

    @property
    def explanation(self) -> str:
        """What the state means."""
        return _SAID[self.state]

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document; what is not known is left out. `signer` is personal data."""
        found = {"state": self.state, "kind": self.kind, "key": self.key, "signer": self.signer}
        return {name: value for name, value in found.items() if value is not None}


def check_signature(git: Git, commit: Commit, allowed_signers: str | None = None) -> Signature:
    """Return what can be told of the signature of `commit`.

    OpenPGP keys are those of the user's keyring; SSH keys those of `allowed_signers`, or of the file that the user's
    own git settings name (``gpg.ssh.allowedSignersFile``). `git` must be a repository of ours: which program checks a
    signature is a setting.
    """
    if commit.signed is None:
        return Signature(None, "unsigned")
    given = () if allowed_signers is None else ("-c", f"gpg.ssh.allowedSignersFile={allowed_signers}")
    done = git.try_to("log", "-1", "--no-patch", "--format=%G?%x00%GF%x00%GS", commit.id, before=given)
    fields = clean(done.stdout).rstrip("\n").split("\0")
    if not done.ok or len(fields) != 3:
        return Signature(commit.signed, "unchecked")
    state = _STATES.get(fields[0], "unchecked")
    if state == "good_untrusted" and commit.signed == "ssh":
        state = "unknown_key"  # ssh-keygen found that the signature is by the key it names, which nobody vouches for
    return Signature(commit.signed, state, fields[1] or None, fields[2] or None)
