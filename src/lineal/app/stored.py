"""What the object store promises to hold of a recorded thing, and whether it does.

A node's detail says in ``stored`` what was put into the store: ``object`` (the object with the node's own digest),
``dataset`` (a manifest and every file in it), ``manifest`` (the manifest alone); and in ``objects`` a table of further
objects by role, such as the patch or the output of a run.
"""

from collections.abc import Iterable, Iterator

from lineal.app.session import Session
from lineal.catalog.reader import Fact, NodeView
from lineal.core.digest import Digest
from lineal.core.finding import Finding
from lineal.datasets import check
from lineal.errors import LinealError


def promised(view: NodeView, facts: Iterable[Fact] = ()) -> dict[str, Digest]:
    """Return the single objects that the store holds for `view`, by role (the content itself is ``content``).

    With those that each of `facts` names for it: the same source has one patch from this commit, another from that.
    """
    found = {role: Digest.parse(text) for role, text in view.detail.get("objects", {}).items()}
    for fact in facts:
        for role, text in fact.detail.get("objects", {}).items():
            digest = Digest.parse(text)
            if digest not in found.values():
                found[f"{role} of entry {fact.idx}"] = digest
    if view.detail.get("stored") in {"object", "dataset", "manifest"} and view.digest is not None:
        found["content"] = Digest.parse(view.digest)
    return found


def missing(session: Session, view: NodeView, facts: Iterable[Fact]) -> list[Digest]:
    """Return the digests of what the store promised to hold for `view`, of which `facts` speak, and does not have."""
    found = [digest for digest in promised(view, facts).values() if not session.objects.has(digest)]
    if view.detail.get("stored") == "dataset" and view.digest is not None and not found:
        found = check.retrievable(Digest.parse(view.digest), session.objects)
    return found


def verify_stored(session: Session, view: NodeView, facts: Iterable[Fact]) -> Iterator[Finding]:
    """Read and hash every byte that the store promised to hold for `view`; yield what does not hold."""
    for role, digest in promised(view, facts).items():
        if role == "content" and view.detail.get("stored") in {"dataset", "manifest"}:
            continue
        fault = session.objects.verify_one(digest)
        if fault is not None:
            yield Finding(code=fault.code, about=view.ref, explanation=f"{role}: {fault.explanation}")
    if view.detail.get("stored") in {"dataset", "manifest"} and view.digest is not None:
        verify = check.verify_dataset if view.detail["stored"] == "dataset" else check.verify_manifest
        try:
            for fault in verify(Digest.parse(view.digest), session.objects):
                yield Finding(code=fault.code, about=view.ref, explanation=fault.explanation)
        except LinealError as error:
            yield Finding(code=error.code, about=view.ref, explanation=error.message)
