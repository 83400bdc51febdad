"""Any keys make a dataset: what is kept of a listing is always a manifest, and nothing is lost without a word."""

from hypothesis import given
from hypothesis import strategies as st

from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry, write
from lineal.sources.bucket import Listed
from lineal.sources.bucket_listing import MOST_NAMED, Listing

SEGMENT = st.one_of(
    st.sampled_from(["a", "b", "a-", "a.", "..", ".", "", ".git", "é", "ab"]), st.text("ab./-é", max_size=4)
)
KEYS = st.lists(st.lists(SEGMENT, min_size=1, max_size=4).map("/".join), unique=True, max_size=30)


@given(KEYS, st.data())
def test_what_is_kept_is_a_manifest_and_the_rest_is_accounted_for(keys: list[str], data: st.DataObject) -> None:
    sizes = {key: data.draw(st.integers(0, 2), key) for key in keys}
    with Listing("") as listing:
        listing.add([Listed(key, sizes[key], "e") for key in keys])
        listing.settle()
        kept = list(listing)
    entries = [Entry(placed.path, "f", Digest.of(b""), placed.item.size) for placed in kept]
    assert write(entries, Digest.of).count == len(kept) == listing.count
    assert {placed.item.key for placed in kept} <= set(keys)
    assert len(kept) + listing.markers + len(listing.gaps) == len(keys) < MOST_NAMED
    folders = {
        key[:place] for key in (placed.item.key for placed in kept) for place, char in enumerate(key) if char == "/"
    }
    for key in set(keys) - {placed.item.key for placed in kept}:
        segments = key.split("/")
        odd = any(segment in ("", ".", "..") or segment.lower() == ".git" for segment in segments)
        assert odd or key in folders or any(other.startswith(f"{key}/") for other in keys)
