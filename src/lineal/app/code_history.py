"""The history of a repository on record: what its refs lead to, and lists of its commits; never an event for each."""

from typing import Any, Final

from lineal.app.collect import Collection, Seen
from lineal.app.naming import spell_name
from lineal.app.session import Session
from lineal.core import canonical, path
from lineal.core.digest import Digest
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import clean
from lineal.errors import ObjectMissing
from lineal.sources.git_history import HEADER, describe_history, is_ancestor, list_commits, list_segment
from lineal.sources.git_objects import ObjectReader
from lineal.sources.git_place import Place

HISTORY: Final = "code.history/1"
_MOST_SEGMENTS: Final = 16


def record_history(session: Session, place: Place, collection: Collection, before: dict[str, Any]) -> Seen:
    """Yield what the refs of `place` lead to now, and gaps for what led elsewhere in what was covered `before`.

    Only commits that are new are listed: a list of them is an object, and the history names the lists.
    """
    old = _read(session, before.get("history"))
    tips = old.get("refs", {})
    for ref, commit in sorted(tips.items()):
        now = place.refs.commits.get(ref)
        if ref.startswith("refs/tags/") and now is not None and now != commit:
            yield Gap("git.tag_moved", f"the tag led to {commit} and leads to {now} now", clean(ref))
        elif now is not None and not is_ancestor(place.history, commit, now):
            explanation = f"the branch was rewritten: it led to {commit}, which is not behind {now}"
            yield Gap("git.rewritten", explanation, clean(ref))
        elif now is None:
            yield Gap("git.ref_gone", f"the ref led to {commit} and is not there any more", clean(ref))
    segments = [(str(each["list"]), int(each["count"])) for each in old.get("commits", ())]
    with ObjectReader(place.history) as reader, session.objects.batch() as batch:
        names = list_commits(place.history, set(place.refs.commits.values()), set(tips.values()))
        new = list_segment(reader, names)
        if new.count:
            segments.append((str(batch.put_bytes(new.data)), new.count))
        if len(segments) > _MOST_SEGMENTS:
            merged = _merge(session, segments[:-1], new.data)
            segments = [(str(batch.put_bytes(merged)), sum(count for _, count in segments))]
        document = describe_history(place.name, place.refs, segments, is_shallow=place.history.is_shallow)
        digest = batch.put_bytes(document)
    ref = f"file:{spell_repository(place.name)}/git-history@{digest}"
    collection.covered.update(history=ref, commits=sum(count for _, count in segments))
    yield _observe_history(session, place, ref, digest, segments)


def _observe_history(
    session: Session, place: Place, ref: str, digest: Digest, segments: list[tuple[str, int]]
) -> Observation:
    refs = place.refs.commits
    detail = {
        "repository": place.name,
        "branches": sum(1 for each in refs if not each.startswith("refs/tags/")),
        "tags": sum(1 for each in refs if each.startswith("refs/tags/")),
        "default": place.refs.branch,
        "head": place.refs.head,
        "commits": sum(count for _, count in segments),
        "stored": "object",
        "objects": {f"commits {place + 1}": each for place, (each, _) in enumerate(segments)},
    }
    return Observation(
        type=HISTORY,
        time=session.clock(),
        actor=session.actor,
        basis="observed",
        nodes=(Node(ref=ref, basis="observed", digest=digest, detail=detail),),
        subject=(ref,),
    )


def _read(session: Session, ref: str | None) -> dict[str, Any]:
    """Return the history that was recorded last; none where it is not kept any more."""
    if ref is None:
        return {}
    try:
        found = canonical.decode(session.objects.read(Digest.parse(ref.rpartition("@")[2])))
    except ObjectMissing:
        return {}
    return found if isinstance(found, dict) else {}


def _merge(session: Session, segments: list[tuple[str, int]], last: bytes) -> bytes:
    lists = [session.objects.read(Digest.parse(digest)) for digest, _ in segments]
    return HEADER + b"".join(each.removeprefix(HEADER) for each in (*lists, last))


def spell_repository(name: str) -> str:
    """Return the name of a repository as that of a recorded thing: a very long one is cut, as those of files are."""
    return spell_name(path.unspell(name))
