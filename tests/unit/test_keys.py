import os
import stat
from pathlib import Path

import pytest

from lineal.errors import AlreadyExists, BadInput, BadSignature, Refused, StoreError, StoreUnavailable
from lineal.ledger.keys import SigningKey, VerifyingKey, load_key, save_key

KEY = SigningKey("lineal.example/log", bytes(range(32)))


def test_new_keys_differ_and_sign() -> None:
    first, second = SigningKey.generate("a"), SigningKey.generate("a")
    assert first != second
    first.verifying_key.verify(first.sign(b"message"), b"message")
    with pytest.raises(BadSignature):
        second.verifying_key.verify(first.sign(b"message"), b"message")


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65), KEY.sign(b"other")])
def test_a_signature_that_does_not_hold(signature: bytes) -> None:
    with pytest.raises(BadSignature):
        KEY.verifying_key.verify(signature, b"message")


def test_rfc_8032_test_1() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = SigningKey("a", seed)
    assert key.public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )


def test_texts_read_back() -> None:
    assert SigningKey.parse(KEY.secret_text()) == KEY
    assert VerifyingKey.parse(str(KEY.verifying_key)) == KEY.verifying_key


def test_the_seed_is_shown_only_by_secret_text() -> None:
    assert repr(KEY) == str(KEY) == "SigningKey(name='lineal.example/log')"
    secret = KEY.secret_text().rsplit("+", 1)[1]
    for bad in (KEY.secret_text() + "x", KEY.secret_text()[:-2], f"PRIVATE+KEY+{secret}+00+{secret}", secret):
        with pytest.raises(BadInput) as caught:
            SigningKey.parse(bad)
        assert secret[:8] not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("material", [b"", bytes(31), bytes(33)])
def test_a_key_has_32_bytes(material: bytes) -> None:
    for kind in (SigningKey, VerifyingKey):
        with pytest.raises(BadInput):
            kind("a", material)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_a_name_that_no_key_can_have(name: str) -> None:
    for kind in (SigningKey, VerifyingKey):
        with pytest.raises(BadInput):
            kind(name, bytes(32))
    with pytest.raises(BadInput):
        SigningKey.generate(name)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_saved_key_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        save_key(tmp_path / "key", KEY)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert load_key(tmp_path / "key") == KEY
    assert os.listdir(tmp_path) == ["key"]
    assert (tmp_path / "key").read_text() == KEY.secret_text() + "\n"


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    save_key(tmp_path / "key", KEY)
    with pytest.raises(AlreadyExists):
        save_key(tmp_path / "key", SigningKey.generate("other"))
    assert load_key(tmp_path / "key") == KEY
    assert os.listdir(tmp_path) == ["key"]


def test_a_key_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        save_key(tmp_path / "absent" / "key", KEY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o777])
def test_a_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    save_key(tmp_path / "key", KEY)
    os.chmod(tmp_path / "key", mode)
    with pytest.raises(Refused) as caught:
        load_key(tmp_path / "key")
    assert caught.value.hint.startswith(f"`chmod 600 {tmp_path / 'key'}`")


def test_no_key(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        load_key(tmp_path / "key")


@pytest.mark.parametrize(
    "content", ["", "\n", KEY.secret_text(), KEY.secret_text() + "x", KEY.secret_text() + "\n\n", "x" * 10_000 + "\n"]
)
def test_a_file_that_is_no_key(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    os.chmod(tmp_path / "key", 0o600)
    with pytest.raises(BadInput):
        load_key(tmp_path / "key")


def test_a_key_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\n")
    os.chmod(tmp_path / "key", 0o600)
    with pytest.raises(BadInput):
        load_key(tmp_path / "key")


def test_a_pipe_is_no_key_and_does_not_hold_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key", 0o600)
    with pytest.raises(BadInput, match="is not a file"):
        load_key(tmp_path / "key")


def test_a_directory_is_no_key(tmp_path: Path) -> None:
    with pytest.raises((BadInput, StoreUnavailable)):
        load_key(tmp_path)


def test_a_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "log.skey"
    file.write_text("nothing of the kind\n")
    file.chmod(0o600)
    with pytest.raises(BadInput, match=r"log\.skey"):
        load_key(file)
