"""Any text and any document: what is read can be recorded, what is not is refused, and nothing else happens."""

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import canonical
from lineal.core.plain import plain
from lineal.errors import BadInput
from lineal.sources.config_files import FoundFile
from lineal.sources.config_files_items import Options, read_files
from lineal.sources.config_files_text import KINDS, decode, read_document
from lineal.sources.config_files_yaml import read_yaml

AT = "2026-03-01T00:00:00.000000Z"
_KEYS = st.text(st.characters(categories=("L", "N"), max_codepoint=0x2FF), min_size=1, max_size=6)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _KEYS
_DOCUMENTS = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=20
)


@given(st.sampled_from(KINDS), st.text(max_size=200) | st.text(":-[]{}&*!#'\" \n\tab1=\\", max_size=60))
def test_any_text_is_read_or_refused(kind: str, text: str) -> None:
    try:
        documents = read_document(kind, text)
    except BadInput:
        return
    canonical.encode(plain(documents))


@given(_DOCUMENTS)
def test_yaml_and_json_of_a_document_read_as_that_document(document: object) -> None:
    expected = [] if document is None else [document]
    assert read_yaml(yaml.safe_dump(document, allow_unicode=True)) == expected
    assert read_yaml(json.dumps(document)) == expected
    assert read_document("json", json.dumps(document)) == [document]


@given(
    st.binary(max_size=300),
    st.sampled_from([b"a.yaml", b"a.json", b"x/Chart.yaml", b"t.tfstate", b".env", b"\xff.ini"]),
)
def test_any_bytes_under_any_name_give_an_item_or_a_gap(data: bytes, path: bytes) -> None:
    kind = {b"yaml": "yaml", b"json": "json", b"state": "json", b".env": "env"}.get(path[-4:].lstrip(b"."), "ini")
    kind = "json" if path.endswith(b"tfstate") else kind
    reading = read_files([FoundFile(path=path, kind=kind, data=data, size=len(data))], Options(root="r"), AT)
    assert bool(reading.items) or bool(reading.gaps)
    assert (path in reading.unread) == bool(reading.gaps)
    for item in reading.items.values():
        canonical.encode(item.describe())


@given(
    st.lists(_DOCUMENTS, max_size=5),
    st.sampled_from(["v1", "apps/v1", "x.io/v1", ""]),
    st.sampled_from(["Pod", "Secret", "List"]),
)
def test_objects_of_any_shape_never_break_the_reading(bodies: list[object], version: str, kind: str) -> None:
    documents = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "n", "labels": body}}
        | dict.fromkeys(("spec", "data", "items"), body)
        for body in bodies
    ]
    text = "\n---\n".join(json.dumps(each) for each in documents)
    reading = read_files([FoundFile(path=b"a.yaml", kind="yaml", data=text.encode())], Options(root="r"), AT)
    for item in reading.items.values():
        canonical.encode(item.describe())


@given(st.binary(max_size=12))
def test_any_bytes_decode_to_text_without_nul_or_are_refused(data: bytes) -> None:
    try:
        assert "\0" not in decode(data)
    except BadInput:
        return


@given(
    st.sampled_from(["", "kubernetes", "file"]),
    st.dictionaries(_KEYS, st.just("hunter22-in-a-secret"), min_size=1, max_size=3),
    st.sampled_from(["yaml", "json"]),
    st.integers(0, 3),
)
def test_no_value_of_a_secret_is_ever_in_an_item(taken: str, data: dict[str, str], kind: str, wraps: int) -> None:
    applied = json.dumps({"kind": "Secret", "data": data})
    document: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}},
        "data": data,
        "stringData": data,
    }
    for _ in range(wraps):
        document = {"apiVersion": "v1", "kind": "List", "items": [document]}
    text = json.dumps(document) if kind == "json" else yaml.safe_dump(document)
    reading = read_files(
        [FoundFile(path=b"s." + kind.encode(), kind=kind, data=text.encode())], Options(root="r", taken=taken), AT
    )
    assert len(reading.items) == 1
    assert "hunter22" not in str([item.describe() for item in reading.items.values()])
