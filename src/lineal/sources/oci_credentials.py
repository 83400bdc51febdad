"""The password for a registry, from where Docker, Podman and skopeo have it. None is ever recorded or printed."""

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lineal.core.image import DOCKER_HUB, Image
from lineal.core.observation import Gap
from lineal.sources.oci_http import Unseen

REGISTRY: Final = "LINEAL_REGISTRY"
USERNAME: Final = "LINEAL_REGISTRY_USERNAME"
PASSWORD: Final = "LINEAL_REGISTRY_PASSWORD"  # noqa: S105  # the name of a variable
_HUB_KEYS: Final = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKEN_USER: Final = "<token>"  # noqa: S105  # how a helper says that the secret is an identity token
_TIMEOUT: Final = 30.0
_LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What opens a registry: a name with a password, an identity token (OAuth 2), or a token that is sent as it is."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of the header ``Authorization`` for a name and a password (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def find_credentials(image: Image, environment: Mapping[str, str]) -> Credentials | None:
    """Return the credentials for the registry of `image`, None where nothing is said of it.

    First come the variables `USERNAME` and `PASSWORD`, for the one registry that `REGISTRY` names; then, in each
    configuration file (``$REGISTRY_AUTH_FILE``, ``$DOCKER_CONFIG/config.json`` or ``~/.docker/config.json``, Podman's
    ``auth.json``): the helper program for this registry, the entry in ``auths``, the helper for all registries. Raises
    `Unseen` for a file or helper that fails.
    """
    if environment.get(REGISTRY) == image.registry and environment.get(USERNAME) and environment.get(PASSWORD):
        return Credentials(username=environment[USERNAME], password=environment[PASSWORD])
    for file in _files(environment):
        config = _read_config(file)
        found = None if config is None else _in_config(config, image, environment, file)
        if found is not None:
            return found
    return None


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("HOME")
    if environment.get("REGISTRY_AUTH_FILE"):
        yield Path(environment["REGISTRY_AUTH_FILE"])
    if environment.get("DOCKER_CONFIG"):
        yield Path(environment["DOCKER_CONFIG"]) / "config.json"
    elif home:
        yield Path(home) / ".docker" / "config.json"
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    if home:
        yield Path(home) / ".config" / "containers" / "auth.json"


def _read_config(file: Path) -> dict[str, Any] | None:
    try:
        with open(file, "rb") as opened:
            found = json.loads(opened.read(_LARGEST))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise Unseen(Gap("oci.credentials", f"{file} cannot be read as the configuration of Docker")) from error
    return found if isinstance(found, dict) else None


def _in_config(
    config: Mapping[str, Any], image: Image, environment: Mapping[str, str], file: Path
) -> Credentials | None:
    keys = _keys(image)
    helpers, auths = config.get("credHelpers"), config.get("auths")
    for key in keys:
        if isinstance(helpers, dict) and isinstance(helpers.get(key), str):
            return _ask_helper(helpers[key], key, environment)
    if isinstance(auths, dict):
        for key in keys:
            for name in (key, f"https://{key}", f"https://{key}/", f"https://{key}/v1/", f"https://{key}/v2/"):
                found = _in_entry(auths.get(name), file)
                if found is not None:
                    return found
    store = config.get("credsStore")
    if isinstance(store, str) and store:
        return _ask_helper(store, _HUB_KEYS[0] if image.registry == DOCKER_HUB else image.registry, environment)
    return None


def _keys(image: Image) -> list[str]:
    """Return the names under which a configuration may keep the registry, the most exact (Podman's paths) first."""
    if image.registry == DOCKER_HUB:
        return list(_HUB_KEYS)
    parts = image.name.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _in_entry(entry: object, file: Path) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    said = {name: value for name, value in entry.items() if isinstance(value, str) and value}
    username, password = said.get("username", ""), said.get("password", "")
    if "auth" in said:
        try:
            username, _, password = base64.b64decode(said["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise Unseen(
                Gap("oci.credentials", f"{file} has an entry auth that is not Base64 of NAME:PASSWORD")
            ) from error
    identity, registry = said.get("identitytoken", ""), said.get("registrytoken", "")
    if not any((password, identity, registry)):
        return None
    return Credentials(
        username=username, password=password.rstrip("\0"), identity_token=identity, registry_token=registry
    )


def _ask_helper(name: str, server: str, environment: Mapping[str, str]) -> Credentials | None:
    """Ask ``docker-credential-NAME get``: the server goes in, a JSON object with ``Username`` and ``Secret`` comes out.

    The protocol is that of docker/docker-credential-helpers.
    """
    program = f"docker-credential-{name}"
    if _HELPER.fullmatch(name) is None:
        raise Unseen(Gap("oci.credentials", f"not the name of a credential helper: {name!r}"))
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_TIMEOUT,
            env=dict(environment),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = "did not answer in time" if isinstance(error, subprocess.TimeoutExpired) else "cannot be started"
        raise Unseen(Gap("oci.credentials", f"{program} {why}")) from error
    if done.returncode != 0:
        if b"credentials not found" in done.stdout + done.stderr:
            return None
        raise Unseen(Gap("oci.credentials", f"{program} failed with status {done.returncode}"))
    try:
        found = json.loads(done.stdout)
        username, secret = str(found["Username"]), str(found["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unseen(Gap("oci.credentials", f"{program} did not answer with Username and Secret")) from error
    if username == _TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(username=username, password=secret)
