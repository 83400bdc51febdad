"""The bytes of models in S3, fetched into the ledger's objects: only those of the very state that was identified."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineal.core.observation import Gap, Node
from lineal.errors import DigestMismatch, SourceError, StoreError
from lineal.objects.batch import StoredFile
from lineal.objects.store import ObjectStore
from lineal.sources.aws_session import Refusal, download
from lineal.sources.bucket import BucketUri
from lineal.sources.sagemaker_models import Kept


class ModelBytes:
    """Fetches objects with the client `s3` and puts them into `objects`."""

    def __init__(self, objects: ObjectStore, s3: Any) -> None:
        self._objects, self._s3 = objects, s3

    def keep(self, nodes: Sequence[Node]) -> Kept | Gap | None:
        """Store the object that the one node of `nodes` stands for; a gap where it cannot be had any more.

        Raises `SourceError` or `DigestMismatch` when what arrives is not what was told, and the store's errors.
        """
        node = next((each for each in nodes if "etag" in each.detail or "version" in each.detail), None)
        if node is None:
            return None
        told = node.detail
        uri = BucketUri.parse(str(told["uri"]))
        wanted = {"Bucket": uri.bucket, "Key": uri.key}
        if told.get("version"):
            wanted["VersionId"] = str(told["version"])
        if told.get("etag"):
            wanted["IfMatch"] = f'"{told["etag"]}"'  # what was written meanwhile is another state
        stored = self._fetch(wanted)
        if isinstance(stored, Refusal):
            return Gap("sagemaker.model_not_kept", f"the bytes of the model are not kept: {stored.text}", str(uri))
        if stored.size != told["size"]:
            raise SourceError(f"{uri} gave {stored.size} bytes, not {told['size']}; nothing was recorded of it")
        if told.get("basis_of_identity") == "checksum" and stored.digest != node.digest:
            raise DigestMismatch(f"the bytes of {uri} have the digest {stored.digest}, and S3 says {node.digest}")
        return Kept(stored.digest, stored.size)

    def _fetch(self, wanted: dict[str, str]) -> StoredFile | Refusal:
        try:
            with tempfile.TemporaryDirectory(prefix="lineal-model-") as folder:
                place = Path(folder) / "model"
                with place.open("wb") as file:
                    refused = download(self._s3, file, **wanted)
                return self._objects.put_file(place) if refused is None else refused
        except OSError as error:
            raise StoreError(f"the bytes of a model cannot be held for a moment: {error.strerror}") from error
