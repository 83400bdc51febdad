"""The container that a program runs in, and the image it was made from, as far as they can be told from inside."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.capture.host import read_os_release
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.core.redaction import clean

# What the launcher may set: the digest, or a full reference that ends in one.
DIGEST_VARIABLE: Final = "LINEAL_IMAGE_DIGEST"
IMAGE_VARIABLE: Final = "LINEAL_IMAGE"

_DIGEST: Final = re.compile(r"(?:(?P<name>[^@\s]+)@)?(?P<digest>sha256:[0-9a-f]{64})")
_ID: Final = re.compile(
    r"(?:^|[/:_-])(?:docker-|libpod-|crio-|cri-containerd-)?([0-9a-f]{64})(?:\.scope)?(?:/|$)", re.M
)
_PACKAGE_LISTS: Final = (
    ("dpkg", "var/lib/dpkg/status"),
    ("dpkg", "var/lib/dpkg/status.d"),
    ("rpm", "var/lib/rpm/rpmdb.sqlite"),
    ("rpm", "usr/lib/sysimage/rpm/rpmdb.sqlite"),
    ("rpm", "var/lib/rpm/Packages"),
    ("apk", "lib/apk/db/installed"),
    ("apk", "usr/lib/apk/db/installed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container. `signs` say how it was recognised, `id` is the runtime's name for it (not that of the image).

    `image` and `digest` are what the launcher said (`LINEAL_IMAGE`, `LINEAL_IMAGE_DIGEST`); without a digest,
    `fingerprint` is a weak stand-in: the SHA-256 over the operating system's release and its list of packages.
    """

    signs: tuple[str, ...]
    id: str | None
    image: str | None
    digest: Digest | None
    fingerprint: Digest | None
    gaps: tuple[Gap, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {
            "signs": list(self.signs),
            "id": self.id,
            "image": self.image,
            "digest": None if self.digest is None else str(self.digest),
            "fingerprint": None if self.fingerprint is None else str(self.fingerprint),
        }


def read_container(env: Mapping[str, str], *, root: Path = Path("/")) -> Container | None:
    """Return the container that this process is in, None where nothing speaks for one.

    `env` are the variables of the run, `root` the root of the file system.
    """
    named = env.get(DIGEST_VARIABLE, "").strip()
    signs = [name for name, found in _signs(env, root) if found]
    identity = _read_id(root)
    if identity is not None:
        signs.append("cgroup")
    if named:
        signs.append(DIGEST_VARIABLE)
    if not signs:
        return None
    gaps: list[Gap] = []
    match = _DIGEST.fullmatch(named)
    image = env.get(IMAGE_VARIABLE, "").strip() or (match["name"] if match is not None else None) or None
    digest = Digest.parse(match["digest"]) if match is not None else None
    if named and match is None:
        gaps.append(Gap("container.bad_digest", f"{DIGEST_VARIABLE} is no sha256 digest: it is not recorded"))
    fingerprint = None
    if digest is None:
        fingerprint = read_fingerprint(root)
        gaps.append(_missing(env))
    return Container(
        signs=tuple(signs),
        id=identity,
        image=None if image is None else clean(image),
        digest=digest,
        fingerprint=fingerprint,
        gaps=tuple(gaps),
    )


def read_fingerprint(root: Path = Path("/")) -> Digest | None:
    """Return a digest over the system's release and its package database, None where there is no database known."""
    found: dict[str, Any] = {}
    for kind, name in _PACKAGE_LISTS:
        place = root / name
        try:
            files = sorted(place.iterdir()) if place.is_dir() else [place]
            digest = hashlib.sha256()
            for file in files:
                digest.update(file.read_bytes())
            found[kind] = digest.hexdigest() if files else None
        except OSError:
            continue
    found = {kind: each for kind, each in found.items() if each is not None}
    if not found:
        return None
    release = read_os_release((root / "etc/os-release", root / "usr/lib/os-release"))
    return Digest.of(canonical.encode({"release": release, "packages": found}))


def _signs(env: Mapping[str, str], root: Path) -> list[tuple[str, bool]]:
    return [
        ("/.dockerenv", (root / ".dockerenv").exists()),
        ("/run/.containerenv", (root / "run/.containerenv").exists()),
        ("kubernetes", bool(env.get("KUBERNETES_SERVICE_HOST"))),
        ("ecs", any(env.get(f"ECS_CONTAINER_METADATA_URI{version}") for version in ("", "_V4"))),
        ("sagemaker", any(env.get(name) for name in ("TRAINING_JOB_NAME", "PROCESSING_JOB_NAME"))),
    ]


def _read_id(root: Path) -> str | None:
    """Read the container's id from cgroup v1 paths, else from where the runtime mounts its files."""
    for name in ("proc/self/cgroup", "proc/self/mountinfo"):
        try:
            with open(root / name, "rb") as file:
                text = clean(file.read(1 << 18))
        except OSError:
            continue
        if name.endswith("mountinfo"):
            # Only the mounts that a runtime makes for its own container: others may name a neighbour's.
            text = "\n".join(
                line.split(" ")[3] for line in text.splitlines() if " /etc/hostname " in line or " /etc/hosts " in line
            )
            match = re.search(r"/(?:containers|sandboxes)/([0-9a-f]{64})/", text)
        else:
            match = _ID.search(text)
        if match is not None:
            return match[1]
    return None


def _missing(env: Mapping[str, str]) -> Gap:
    if env.get("ECS_CONTAINER_METADATA_URI_V4"):
        why = "the task metadata of ECS holds it, which is not asked"
    elif env.get("TRAINING_JOB_NAME"):
        why = "only DescribeTrainingJob and ECR tell it"
    elif env.get("KUBERNETES_SERVICE_HOST"):
        why = "only the Kubernetes API tells it (status.containerStatuses[].imageID)"
    else:
        why = "nothing inside a container tells it"
    return Gap(
        "container.digest",
        f"the digest of the image is not known: {why}; let the launcher set {DIGEST_VARIABLE}=sha256:…",
    )
