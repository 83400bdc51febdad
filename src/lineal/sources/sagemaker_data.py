"""What SageMaker's addresses stand for: data in S3, images in registries, commits; each as a node of the graph.

SageMaker names data by address and images by tag, and neither says which bytes were meant. What was meant is taken
from what is recorded, or from the object store where that can be sure: an object that was last written before it was
read is what was read. Else the address itself is all that is known: such a node says ``fixed: false``, and a gap says
what would fix it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lineal.core import image
from lineal.core.claim import claimed_address, claimed_code
from lineal.core.digest import Digest
from lineal.core.observation import Gap, Node
from lineal.core.redaction import strip_url
from lineal.core.repository import canonical_name
from lineal.errors import BadInput, BadRef
from lineal.sources.aws_session import DENIED, MISSING, Refusal
from lineal.sources.bucket import BucketUri
from lineal.sources.sagemaker_found import (
    Found,
    Head,
    Named,
    Tagged,
    address_found,
    digest_of,
    foreign_found,
    object_found,
    shorten,
    version_found,
)
from lineal.sources.sagemaker_objects import Objects
from lineal.sources.sagemaker_words import moment

_SLACK: Final = timedelta(hours=1)


class Places:
    """Finds out what addresses stand for; `s3` is a client of S3 or None, `named` and `tagged` what is on record."""

    def __init__(self, s3: Any, named: Named, tagged: Tagged) -> None:
        self._objects = Objects(s3)
        self._named = named
        self._tagged = tagged

    def read(self, address: str, at: str) -> Found:
        """Return what was at `address` when it was read at the moment `at`."""
        uri = _uri(address)
        if uri is None:
            return foreign_found(address)
        head = None if uri.is_prefix else self._objects.head(uri)
        if isinstance(head, Head) and head.written <= at:
            same = [each for each in self._named(uri.aliases, None) if each.fixed and each.time >= head.written]
            same = [each for each in same if each.ref.startswith("dataset:")]
            return Found(ref=same[-1].ref, digest=digest_of(same[-1].ref)) if same else object_found(uri, head)
        single = isinstance(head, Head)
        aliases = uri.aliases if single else tuple(dict.fromkeys((*uri.aliases, *uri.as_prefix().aliases)))
        known = [each for each in self._named(aliases, at) if each.ref.startswith(("dataset:", "file:"))]
        place = next((each for each in known if not each.fixed), None)
        fixed = next((each for each in known if each.fixed), None)
        newest = None if single or fixed is None else self._objects.newest(uri.as_prefix())
        changed = newest is not None and fixed is not None and fixed.time < newest <= at
        if fixed is not None and not changed:
            return version_found(uri, fixed, place, newest, at)
        later = None if single or changed else self._recorded_later(uri, aliases, at, "", at)
        if later is not None:
            return later
        denied = (head.gap(str(uri)),) if isinstance(head, Refusal) and head.kind == DENIED else ()
        if isinstance(head, Head):
            gap = Gap(
                "sagemaker.data_changed", f"it was written again at {head.written}, after it was read", uri.aliases[0]
            )
        elif changed and fixed is not None:
            gap = Gap(
                "sagemaker.data_changed",
                f"{fixed.ref} was recorded at {fixed.time}, and it was written to at {newest}, before it was read",
                uri.aliases[0],
            )
        else:
            gap = Gap(
                "sagemaker.data_not_fixed",
                f"no version of it was recorded before it was read: `lineal snapshot dataset:NAME {uri}` fixes it",
                uri.aliases[0],
            )
        if place is not None:
            return Found(ref=place.ref, digest=digest_of(place.ref), fixed=False, gaps=(*denied, gap))
        return address_found(uri, gaps=(*denied, gap), single=single)

    def written(self, address: str, began: str, ended: str, *, single: bool) -> Found:
        """Return what a job that ran from `began` to `ended` wrote to `address`: a `single` object or a prefix."""
        uri = _uri(address)
        if uri is None:
            return foreign_found(address)
        head = self._objects.head(uri) if single and not uri.is_prefix else None
        # S3 tells the second alone.
        if isinstance(head, Head) and began[:19] <= head.written[:19] and head.written <= _later(ended):
            return object_found(uri, head)
        later = None if single else self._recorded_later(uri, uri.as_prefix().aliases, ended, began, ended)
        if later is not None:
            return later
        if isinstance(head, Head):
            why = f"the object was written at {head.written}, not while the job ran"
        elif isinstance(head, Refusal) and head.kind == DENIED:
            why = f"the object cannot be looked at: {head.text}"
        elif head is None:
            why = f"only its address is known: `lineal snapshot dataset:NAME {uri}` fixes what is there now"
        else:
            why = "the object is not there any more" if head.kind == MISSING else head.text
        gap = Gap("sagemaker.output_not_fixed", why, uri.aliases[0])
        return address_found(uri, gaps=(gap,), single=single)

    def _recorded_later(
        self, uri: BucketUri, aliases: tuple[str, ...], at: str, began: str, ended: str
    ) -> Found | None:
        """Return the first version of a prefix recorded after `at`, if it was last written between `began` and `ended`.

        What was there and was deleted since leaves no trace in a list: a gap says so.
        """
        known = [each for each in self._named(aliases, None) if each.fixed and each.time > at]
        known = [each for each in known if each.ref.startswith("dataset:")]
        if not known:
            return None
        newest = self._objects.newest(uri.as_prefix())
        if newest is None or not began[:19] <= newest[:19] or newest > ended:
            return None
        gap = Gap(
            "sagemaker.recorded_later",
            f"the version was recorded later, and nothing was written since {newest}: deletions leave no trace",
            uri.as_prefix().aliases[0],
        )
        return Found(ref=known[-1].ref, digest=digest_of(known[-1].ref), gaps=(gap,))

    def image(self, address: str, at: str, resolved: str | None = None) -> Found:
        """Return the image that `address` meant at the moment `at`; `resolved` is its address by digest if known."""
        try:
            named = image.parse(address)
            exact = image.parse(resolved) if resolved else named
        except BadRef:
            return foreign_found(address, kind="container")
        digest = exact.digest or named.digest
        seen = None if digest is not None else self._tagged(named, at)
        if seen is not None:
            return Found(ref=f"{named.artifact}@{seen}", digest=Digest.parse(seen))
        aliases = tuple(dict.fromkeys(str(each) for each in (named, exact)))
        if digest is not None:
            node = Node(
                ref=f"{named.artifact}@{digest}",
                basis="observed",
                digest=digest,
                detail={"image": str(named.at(digest)), "digest": str(digest)},
                aliases=tuple(dict.fromkeys((str(named.at(digest)), *aliases))),
            )
            return Found(ref=node.ref, digest=digest, nodes=(node,))
        for each in self._named((str(named), address), at):
            if each.fixed and each.ref.startswith("container:"):
                return Found(ref=each.ref, digest=digest_of(each.ref))
        gap = Gap("sagemaker.image_not_fixed", "the image is named by a tag: which one it was is not known", str(named))
        node = claimed_address(str(named.artifact), str(named), (str(named),), word="image")
        return Found(ref=node.ref, digest=node.digest, fixed=False, nodes=(node,), gaps=(gap,))

    def code(self, commit: str, repository: str | None, at: str) -> Found:
        """Return the source that somebody named by `commit` and the address of its `repository`."""
        for each in self._named((commit,), None):
            if each.ref.startswith("code:") and not each.detail.get("dirty"):
                return Found(ref=each.ref, digest=digest_of(each.ref))
        place = None if not repository else strip_url(repository)[0]
        node = claimed_code(shorten(canonical_name(place)) if place else "code", commit, place)
        return Found(ref=node.ref, digest=node.digest, fixed=False, nodes=(node,))

    def known(self, aliases: Sequence[str], at: str | None) -> Found | None:
        """Return the model version that is on record under any of these names by the moment `at`, None if none is."""
        for each in self._named(tuple(aliases), at):
            if each.ref.startswith("model:"):
                return Found(ref=each.ref, digest=digest_of(each.ref), detail=each.detail)
        return None


def _uri(address: str) -> BucketUri | None:
    try:
        return BucketUri.parse(address)
    except BadInput:
        return None


def _later(ended: str) -> str:
    """Return until when what a job wrote can appear: SageMaker packs and uploads a model after the container ended."""
    later = datetime.fromisoformat(ended) + _SLACK
    return moment(later.astimezone(UTC)) or ended
