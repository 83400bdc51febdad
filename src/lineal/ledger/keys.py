"""Ed25519 keys of logs and producers: as text, as files, signing and verifying.

The texts are those of C2SP signed-note and Go's sumdb/note: a public key is ``name+id+base64``, a private key
``PRIVATE+KEY+name+id+base64``, where the id is 8 hex digits and the base64 is of the type (0x01) and the 32 bytes.
"""

import os
import stat
import tempfile
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lineal.core.note import ED25519, check_name, decode_base64, key_hash
from lineal.errors import AlreadyExists, BadInput, BadSignature, Malformed, Refused, StoreError, StoreUnavailable
from lineal.ledger.disk import sync_folder

_KEY_SIZE: Final = 32
_PRIVATE: Final = "PRIVATE+KEY+"
_NOT_PRIVATE: Final = f"not a private key: it is not written {_PRIVATE}name+id+base64"
_MAX_FILE: Final = 4096


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public Ed25519 key (32 bytes) and the name that goes with it; `str` gives its one spelling."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public_key) != _KEY_SIZE:
            raise BadInput(f"an Ed25519 key has {_KEY_SIZE} bytes, not {len(self.public_key)}")

    @classmethod
    def parse(cls, text: str) -> "VerifyingKey":
        """Return the key spelled by `text`; raise `BadInput` for any other text, also when the id is not the key's."""
        name, key_id, material = _parse(text)
        key = cls(name, material)
        if key_id != key.key_id.hex():
            raise BadInput(f"the id {key_id[:20]} is not that of the key {name}")
        return key

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that name the key, beside its name, in signature lines."""
        return key_hash(self.name, self.public_key)

    def verify(self, signature: bytes, message: bytes, /) -> None:
        """Return if `signature` (64 bytes) is this key's for `message`; raise `BadSignature` otherwise."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise BadSignature(f"the signature by {self.name}+{self.key_id.hex()} does not hold") from error

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_spell(self.public_key)}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private Ed25519 key (its 32 byte seed) and the name that goes with it. Its `repr` does not show the seed."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.seed) != _KEY_SIZE:
            raise BadInput(f"an Ed25519 key has {_KEY_SIZE} bytes, not {len(self.seed)}")

    @classmethod
    def generate(cls, name: str) -> "SigningKey":
        """Return a new key made from the system's randomness; raise `BadInput` if `name` cannot be a key's name."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "SigningKey":
        """Return the key spelled by the secret `text`; raise `BadInput`, which never shows the text, for any other."""
        try:
            name, _, material = _parse(text.removeprefix(_PRIVATE))
            key = cls(name, material)
        except BadInput:
            raise BadInput(_NOT_PRIVATE) from None
        if text != key.secret_text():
            raise BadInput(_NOT_PRIVATE)
        return key

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def verifying_key(self) -> VerifyingKey:
        """The public key, to hand out."""
        return VerifyingKey(self.name, self.public_key)

    def sign(self, message: bytes, /) -> bytes:
        """Return the signature (64 bytes) of `message`, the same for the same message (RFC 8032)."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def secret_text(self) -> str:
        """Return the one spelling of the private key. Whoever has it can sign."""
        return f"{_PRIVATE}{self.name}+{self.verifying_key.key_id.hex()}+{_spell(self.seed)}"


def load_key(path: Path) -> SigningKey:
    """Return the private key in the file `path`.

    Raises `StoreUnavailable` if it cannot be read, `Refused` if anyone but its owner can read or write it, `BadInput`
    if it holds anything but one key and a newline.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a named pipe must not hold us up
        with open(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            content = file.read(_MAX_FILE + 1) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise StoreUnavailable(f"cannot read the key {path}: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise BadInput(f"the key {path} is not a file")
    if stat.S_IMODE(mode) & 0o077:
        raise Refused(
            f"the private key {path} is open to others (mode {stat.S_IMODE(mode):04o}); it was not used",
            fix=f"`chmod 600 {path}`, and make a new key if someone may have read it.",
        )
    text = content.decode("utf-8", "replace")
    if len(content) > _MAX_FILE or not text.endswith("\n"):
        raise BadInput(f"the key {path} is not one line of at most {_MAX_FILE} bytes")
    try:
        return SigningKey.parse(text[:-1])
    except BadInput as error:
        raise BadInput(f"{path}: {error.message}", fix="Put the log's own private key back from its backup.") from error


def save_key(path: Path, key: SigningKey) -> None:
    """Write `key` to the new file `path` (mode 0600), durably, all of it or nothing.

    Raises `AlreadyExists` if the file is there, which is left as it is; `StoreError` if it cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=".key-", dir=path.parent)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # whatever the umask
                file.write(key.secret_text().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(name, path)  # unlike a rename, fails if there is one
        finally:
            Path(name).unlink()
        sync_folder(path.parent)
    except FileExistsError as error:
        raise AlreadyExists(f"there is a key already: {path}") from error
    except OSError as error:
        raise StoreError(f"cannot write the key {path}: {error.strerror}") from error


def _spell(material: bytes) -> str:
    return b64encode(bytes([ED25519]) + material).decode()


def _parse(text: str) -> tuple[str, str, bytes]:
    """Return the name, the id in hex and the 32 bytes of a key's text; raise `BadInput`."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        blob = decode_base64(encoded)
    except Malformed:
        raise BadInput("not a key: it is not written name+id+base64") from None  # it could be a secret
    if len(blob) != 1 + _KEY_SIZE or blob[0] != ED25519:
        raise BadInput(f"the key {name!r} is not an Ed25519 key")
    return name, key_id, blob[1:]
