"""How S3 is reached, and what its clients say when it is not."""

import pytest

from lineal.errors import BadInput, LinealError, ObjectChanged, SourceDenied, SourceError
from lineal.sources.s3_access import open_s3, open_store
from lineal.sources.s3_bucket import full_sha256, is_plain
from lineal.sources.s3_errors import code_of, s3_errors, translate


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    known = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "s", "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in {**known, "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("given", "address", "endpoint"),
    [
        (None, None, None),
        ("https://s3.eu-central-1.amazonaws.com", None, None),
        ("https://bucket.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com", "https://bucket.vpce-1a2b", None),
        ("https://s3-fips.us-east-1.amazonaws.com", "https://s3-fips", None),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("https://minio.acme.example", "https://minio.acme", "https://minio.acme.example"),
        ("https://s3.amazonaws.com.evil.example", "https://s3.amazonaws.com.evil", "https://s3.amazonaws.com.evil"),
    ],
)
def test_private_addresses_of_aws_are_used_and_are_aws(given: str, address: str | None, endpoint: str | None) -> None:
    access = open_s3(given)
    assert (access.address or "").startswith(address or "-") is (address is not None)
    assert (access.endpoint or "").startswith(endpoint or "-") is (endpoint is not None)
    assert open_store(access, "bucket", "eu-west-1").config["region"] == "eu-west-1"


def test_an_address_of_a_server_is_recorded_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://ann:secret1@minio.acme.example")
    access = open_s3()
    assert access.shown_endpoint == "https://minio.acme.example"
    for text in ("ftp://host", "minio:9000", "//x"):
        with pytest.raises(BadInput, match="not the address of a server"):
            open_s3(text)


def test_no_credentials_are_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match="no credentials"):
        open_store(open_s3(), "bucket", None)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceError, match="nobody"):
        open_s3()


class Refusal(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NoSuchBucket", BadInput),
        ("NoSuchKey", ObjectChanged),
        ("405", ObjectChanged),
        ("PreconditionFailed", ObjectChanged),
        ("AccessDenied", SourceDenied),
        ("403", SourceDenied),
        ("ExpiredToken", SourceError),
        ("RequestTimeTooSkewed", SourceError),
        ("SomethingNew", SourceError),
    ],
)
def test_each_refusal_is_an_error_of_the_house(code: str, kind: type[LinealError]) -> None:
    error = translate(Refusal(code), "s3://b/k")
    assert type(error) is kind
    assert "s3://b/k" in error.message
    assert error.hint


def test_codes_are_found_in_what_obstore_says() -> None:
    assert code_of(OSError("status: 400 Bad: <Error><Code>ExpiredToken</Code><Message>x</Message>")) == "ExpiredToken"
    assert code_of(OSError("Server returned non-2xx status code: 503 Slow")) == "503"
    assert code_of(FileNotFoundError("<Code>NoSuchBucket</Code>")) == "NoSuchBucket"
    assert code_of(OSError("connection reset")) == ""


def test_bugs_are_not_taken_for_refusals() -> None:
    with pytest.raises(KeyError), s3_errors("s3://b"):
        raise KeyError("ours")
    with pytest.raises(SourceError, match="cannot be had"), s3_errors("s3://b"):
        raise ConnectionResetError("theirs")


GOOD = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="


def test_only_a_checksum_of_the_whole_object_is_one() -> None:
    assert full_sha256({"ChecksumSHA256": GOOD, "ChecksumType": "FULL_OBJECT", "ETag": '"x-2"'}) is not None
    assert full_sha256({"ChecksumSHA256": GOOD, "ETag": '"x"'}) is not None
    assert full_sha256({"ChecksumSHA256": GOOD, "ETag": '"x-2"'}) is None
    assert full_sha256({"ChecksumSHA256": GOOD, "ChecksumType": "COMPOSITE"}) is None
    assert full_sha256({"ChecksumSHA256": f"{GOOD}-7"}) is None
    assert full_sha256({"ChecksumCRC64NVME": "x"}) is None
    for wrong in ("!!!", "AAAA", "ü"):
        with pytest.raises(SourceError):
            full_sha256({"ChecksumSHA256": wrong})


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("a/b", True),
        ("a b/ü%20+", True),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        ("../a", False),
        ("a\nb", False),
    ],
)
def test_keys_that_obstore_can_name(key: str, plain: bool) -> None:
    assert is_plain(key) is plain
