"""The bytes of models in S3, fetched into the ledger's objects: only those of the very state that was identified."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineal.core.observation import Gap, Node
from lineal.errors import SourceError
from lineal.objects.store import ObjectStore
from lineal.sources.aws_session import download
from lineal.sources.bucket import BucketUri
from lineal.sources.sagemaker_models import Kept


class ModelBytes:
    """Fetches objects with the client `s3` and puts them into `objects`."""

    def __init__(self, objects: ObjectStore, s3: Any) -> None:
        self._objects, self._s3 = objects, s3

    def keep(self, nodes: Sequence[Node]) -> Kept | Gap | None:
        """Store the object that the one node of `nodes` stands for; a gap where it cannot be had any more.

        Raises `SourceError` when what arrives is not of the size that was told, and the store's errors.
        """
        told = next((node.detail for node in nodes if "etag" in node.detail or "version" in node.detail), None)
        if told is None:
            return None
        uri = BucketUri.parse(str(told["uri"]))
        wanted = {"Bucket": uri.bucket, "Key": uri.key}
        if told.get("version"):
            wanted["VersionId"] = str(told["version"])
        if told.get("etag"):
            wanted["IfMatch"] = f'"{told["etag"]}"'  # what was written meanwhile is another state
        with tempfile.TemporaryDirectory(prefix="lineal-model-") as folder:
            place = Path(folder) / "model"
            with place.open("wb") as file:
                refused = download(self._s3, file, **wanted)
            if refused is not None:
                return Gap("sagemaker.model_not_kept", f"the bytes of the model are not kept: {refused.text}", str(uri))
            stored = self._objects.put_file(place)
        if stored.size != told["size"]:
            raise SourceError(f"{uri} gave {stored.size} bytes, not {told['size']}; nothing was recorded of it")
        return Kept(stored.digest, stored.size)
