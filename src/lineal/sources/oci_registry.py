"""A registry: manifests, blobs, tags and what is attached to them (OCI distribution specification 1.1)."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from lineal.core.digest import Digest
from lineal.core.image import DOCKER_HUB, Image, check_tag
from lineal.core.observation import Gap
from lineal.errors import BadRef, DigestMismatch
from lineal.sources.ecr import find_password, read_address
from lineal.sources.oci_auth import Permission
from lineal.sources.oci_credentials import Credentials, find_credentials
from lineal.sources.oci_http import LARGEST, Answer, NotThere, Unseen, Wire, is_loopback, join
from lineal.sources.oci_manifest import ACCEPT, OCI_INDEX, Descriptor, Manifest, read_manifest

_HUB: Final = "https://registry-1.docker.io"
_PAGE: Final = 1000
_MOST_PAGES: Final = 10_000
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;[^,]*\brel\s*=\s*"?next"?', re.IGNORECASE)
_DIGEST_HEADER: Final = "docker-content-digest"


class Repository:
    """One repository of a registry, that of `image`. Everything raises `Unseen`, and `NotThere` for what is not there.

    `environment` names the user's configuration and AWS; `wire` may serve many repositories.
    """

    def __init__(self, image: Image, environment: Mapping[str, str], wire: Wire) -> None:
        self.image = image
        self._environment = environment
        self._wire = wire
        self._permission = Permission(self._wire, f"repository:{image.repository}:pull", self._credentials)
        self._base = _base(image.registry, plain_http=wire.plain_http)
        self._has_referrers = True

    def manifest(self, reference: str, expected: Descriptor | None = None) -> Manifest:
        """Return what `reference`, a tag or a digest, names now, hashed here; raise `DigestMismatch` for a lie."""
        where = f"{self.image.name}{'@' if ':' in reference else ':'}{reference}"
        answer = self._get(f"manifests/{reference}", where, {"Accept": ACCEPT})
        found = Digest.of(answer.body)
        for said, who in (
            (answer.headers.get(_DIGEST_HEADER), "says"),
            (reference if ":" in reference else None, "has"),
        ):
            if said is not None and said.startswith("sha256:") and said != str(found):
                raise DigestMismatch(
                    f"{where}: the registry {who} {said[:80]}, and sends bytes with the digest {found}: not recorded",
                    fix="Ask who runs the registry, and compare with another copy of the image.",
                )
        if expected is not None:
            expected.check(answer.body, where)
        return read_manifest(answer.body, where, answer.type)

    def digest_said(self, tag: str) -> str | None:
        """Return the digest that the registry says `tag` has, without proof; None if it does not say."""
        where = f"{self.image.name}:{tag}"
        return self._get(f"manifests/{tag}", where, {"Accept": ACCEPT}, method="HEAD").headers.get(_DIGEST_HEADER)

    def blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """Return the blob that `descriptor` describes, checked; raise `DigestMismatch` if it is another."""
        where = f"{self.image.name}@{descriptor.digest}"
        if descriptor.size > limit:
            raise Unseen(Gap("oci.too_large", f"{where} has {descriptor.size} bytes, over the {limit} that are read"))
        answer = self._get(f"blobs/{descriptor.digest}", where, {}, limit=descriptor.size + 1)
        if answer.type == "text/html":
            answer.document()
        return descriptor.check(answer.body, where)

    def check_layers(self, manifest: Manifest) -> None:
        """Do nothing: layers stay where they are, and their digests stand in the manifest that was hashed."""

    def tags(self) -> Iterator[str]:
        """Yield every tag of the repository, page by page ("Listing Tags")."""
        for page in self._pages(f"tags/list?n={_PAGE}", f"the tags of {self.image.name}"):
            listed = page.document().get("tags")
            for tag in listed if isinstance(listed, list) else []:
                try:
                    yield check_tag(str(tag))
                except BadRef as error:
                    raise Unseen(Gap("oci.malformed", f"{self.image.name} lists what is no tag")) from error

    def referrers(self, digest: Digest) -> list[Descriptor] | None:
        """Return what refers to `digest` ("Listing Referrers"); None where the registry does not offer that."""
        if not self._has_referrers:
            return None
        where = f"what refers to {self.image.name}@{digest}"
        found: list[Descriptor] = []
        try:
            for page in self._pages(f"referrers/{digest}", where):
                found.extend(read_manifest(page.body, where, OCI_INDEX).manifests)
        except NotThere:
            self._has_referrers = False
            return None
        except Unseen as error:
            if error.gap.code != "oci.refused":
                raise
            self._has_referrers = False  # an old registry that takes the question amiss
            return None
        return found

    def _pages(self, path: str, where: str) -> Iterator[Answer]:
        url = f"{self._base}/v2/{self.image.repository}/{path}"
        seen: set[str] = set()
        while len(seen) < _MOST_PAGES:
            answer = self._ask(url, where, {"Accept": f"{OCI_INDEX}, application/json"})
            yield answer
            seen.add(url)
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return
            url = join(url, following[1])
            if urlsplit(url)[:2] != urlsplit(self._base)[:2] or url in seen:
                break
        raise Unseen(Gap("oci.malformed", f"the pages of {where} lead nowhere or elsewhere"))

    def _get(
        self, path: str, where: str, headers: Mapping[str, str], *, method: str = "GET", limit: int = LARGEST
    ) -> Answer:
        url = f"{self._base}/v2/{self.image.repository}/{quote(path, safe='/:')}"
        return self._ask(url, where, headers, method=method, limit=limit)

    def _ask(
        self, url: str, where: str, headers: Mapping[str, str], *, method: str = "GET", limit: int = LARGEST
    ) -> Answer:
        def ask() -> Answer:
            leave = self._permission.header()
            sent = {**headers, **({"Authorization": leave} if leave else {})}
            return self._wire.ask(url, method=method, headers=sent, limit=limit)

        answer = ask()
        if answer.status == 401 and urlsplit(answer.url)[:2] == urlsplit(url)[:2] and self._permission.meet(answer):
            answer = ask()
        if answer.status == 200:
            return answer
        said = f"{answer.status} {answer.complaint()}".strip()
        if answer.status in (401, 403):
            who = " (no credentials are known for it)" if self._permission.anonymous else ""
            raise Unseen(Gap("oci.denied", f"{self.image.registry} does not let us read {where}: {said}{who}"))
        if answer.status in (404, 410):
            if answer.type == "text/html" or answer.body[:512].lstrip()[:1] == b"<":
                answer.document()
            raise NotThere(Gap("oci.not_there", f"{where} is not there: {said}"))
        raise Unseen(Gap("oci.refused", f"{self.image.registry} did not give {where}: {said}"))

    def _credentials(self) -> Credentials | None:
        found = find_credentials(self.image, self._environment)
        address = read_address(self.image)
        return find_password(address, self._environment) if found is None and address is not None else found


def _base(registry: str, *, plain_http: bool) -> str:
    if registry == DOCKER_HUB:
        return _HUB
    host = urlsplit(f"//{registry}").hostname or ""
    return f"{'http' if plain_http or is_loopback(host) else 'https'}://{registry}"
