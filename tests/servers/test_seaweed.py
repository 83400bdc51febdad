"""The server is a real one: it refuses what S3 refuses."""

import botocore.exceptions
import pytest

from servers.seaweed import S3Server


def test_it_checks_signatures_and_digests(s3_server: S3Server) -> None:
    client = s3_server.client()
    client.create_bucket(Bucket="checks")
    client.put_object(Bucket="checks", Key="k", Body=b"abc", ChecksumAlgorithm="SHA256")
    assert client.get_object(Bucket="checks", Key="k")["Body"].read() == b"abc"
    with pytest.raises(botocore.exceptions.ClientError, match=r"BadDigest|InvalidDigest|checksum"):
        client.put_object(Bucket="checks", Key="k", Body=b"abc", ChecksumSHA256="A" * 43 + "=")
    stranger = S3Server(s3_server.endpoint, secret_key="another").client()
    with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
        stranger.get_object(Bucket="checks", Key="k")
