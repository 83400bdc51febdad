"""References to images: whatever is written reads back, or is refused; nothing else happens."""

from hypothesis import assume, given
from hypothesis import strategies as st

from lineal.core import ref
from lineal.core.image import parse
from lineal.errors import BadRef

label = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
part = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}", fullmatch=True)
port = st.integers(1, 65535).map(lambda number: f":{number}")
registry = st.one_of(
    st.tuples(st.lists(label, min_size=2, max_size=4).map(".".join), st.one_of(st.just(""), port)).map("".join),
    st.tuples(label, port).map("".join),
    st.sampled_from(["localhost", "docker.io", "index.docker.io", "[::1]", "[fe80::1]:5000"]),
)
repository = st.lists(part, min_size=1, max_size=4).map("/".join)
tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
digest = st.binary(min_size=32, max_size=32).map(lambda value: f"sha256:{value.hex()}")


@given(st.one_of(st.just(""), registry.map(lambda name: f"{name}/")), repository, st.none() | tag, st.none() | digest)
def test_every_image_has_one_spelling_that_reads_back(
    place: str, path: str, named: str | None, fixed: str | None
) -> None:
    assume(place or "/" not in path or not any(char in path.partition("/")[0] for char in ".:"))
    text = f"{place}{path}{f':{named}' if named else ''}{f'@{fixed}' if fixed else ''}"
    image = parse(text)
    assert parse(str(image)) == image
    assert str(parse(str(image))) == str(image)
    assert parse(text.replace(place, place.upper(), 1) if "." in place or ":" in place else text) == image
    assert image.tag == (named or (None if fixed else "latest"))
    assert (str(image.digest) if image.digest else None) == fixed
    node = f"{image.artifact}@sha256:{'a' * 64}"
    assert str(ref.parse_node(node)) == node


@given(st.text() | st.text(alphabet="ab./:@-_[]A0\n", max_size=40))
def test_any_text_is_an_image_or_is_refused(text: str) -> None:
    try:
        image = parse(text)
    except BadRef:
        return
    assert parse(str(image)) == image
