"""References read back, and nothing but their canonical spelling is read."""

from hypothesis import given
from hypothesis import strategies as st

from lineal.core import path
from lineal.core.ref import KINDS, ArtifactRef, RunRef, VersionRef, parse, parse_node
from lineal.errors import BadRef

names = st.binary(min_size=1, max_size=40).map(path.spell)
versions = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z:._+-]{0,20}", fullmatch=True)
texts = st.text() | st.builds("{}:{}".format, st.sampled_from((*KINDS, "run")), st.text(max_size=30))


@given(st.sampled_from(KINDS), names, st.none() | versions)
def test_what_is_spelled_reads_back(kind: str, name: str, version: str | None) -> None:
    made = ArtifactRef(kind, name) if version is None else VersionRef(kind, name, version)
    assert parse(str(made)) == made


@given(texts)
def test_what_is_read_is_spelled_the_same(text: str) -> None:
    try:
        named = parse(text)
    except BadRef:
        return
    assert str(named) == text
    assert "\n" not in text
    assert " " not in text


@given(texts | st.builds("{}:{}@{}".format, st.sampled_from((*KINDS, "run")), names, versions))
def test_a_node_is_one_of_two_and_reads_back(text: str) -> None:
    try:
        named = parse_node(text)
    except BadRef:
        return
    assert isinstance(named, VersionRef | RunRef)
    assert str(named) == text


@given(st.binary(max_size=60))
def test_every_path_has_one_spelling(raw: bytes) -> None:
    assert path.unspell(path.spell(raw)) == raw
