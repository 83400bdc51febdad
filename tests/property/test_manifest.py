import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.digest import Digest
from lineal.core.path import spell
from lineal.datasets.difference import diff
from lineal.datasets.manifest import HEADER, Entry, Manifest, entries, is_boundary, load, write
from lineal.datasets.rewrite import Rewrite
from lineal.errors import BadInput, BadManifest, ObjectMissing


class Memory:
    """Objects in a dictionary; counts what is read."""

    def __init__(self) -> None:
        self.objects: dict[Digest, bytes] = {}
        self.reads: list[Digest] = []

    def put(self, data: bytes) -> Digest:
        digest = Digest.of(data)
        self.objects[digest] = data
        return digest

    def read(self, digest: Digest) -> bytes:
        self.reads.append(digest)
        if digest not in self.objects:
            raise ObjectMissing(str(digest))
        return self.objects[digest]


@cache
def boundary_names() -> list[bytes]:
    return [name for number in range(40_000) if is_boundary(name := b"b%d" % number)]


SEGMENTS = st.one_of(
    st.sampled_from(
        [
            b"a",
            b"b",
            b"a!",
            b"a0",
            b"A",
            "ä".encode(),
            "\u00a0".encode(),
            "\u2028".encode(),
            "\x85".encode(),
            b"\xff\xfe",
            b" ",
            b"%",
            b"@",
            b"\\",
            b"...",
            b"\n",
        ]
    ),
    st.deferred(lambda: st.sampled_from(boundary_names())),
    st.binary(min_size=1, max_size=4).filter(
        lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b"..")
    ),
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(b"/".join)
CONTENTS = st.tuples(
    st.sampled_from("fxl"), st.integers(0, 3).map(lambda n: Digest.of(b"%d" % n)), st.integers(0, 2**40)
)


def without_files_as_folders(found: dict[bytes, tuple[str, Digest, int]]) -> dict[bytes, tuple[str, Digest, int]]:
    folders = {path[: match.start()] for path in found for match in re.finditer(b"/", path)}
    return {path: content for path, content in found.items() if path not in folders}


TREES = st.dictionaries(PATHS, CONTENTS, max_size=40).map(without_files_as_folders)


def rows(tree: dict[bytes, tuple[str, Digest, int]]) -> list[Entry]:
    return [Entry(path, *tree[path]) for path in sorted(tree)]


@settings(deadline=None)
@given(TREES)
def test_what_was_written_is_read_back(tree: dict[bytes, tuple[str, Digest, int]]) -> None:
    memory = Memory()
    written = write(rows(tree), memory.put)
    loaded = load(written.digest, memory)
    assert loaded == written
    assert list(entries(loaded, memory)) == rows(tree)
    assert (loaded.count, loaded.size) == (len(tree), sum(size for _, _, size in tree.values()))


@settings(deadline=None)
@given(TREES, TREES, TREES)
def test_diff_is_the_difference_of_the_sets(
    common: dict[bytes, tuple[str, Digest, int]],
    one: dict[bytes, tuple[str, Digest, int]],
    other: dict[bytes, tuple[str, Digest, int]],
) -> None:
    old, new = without_files_as_folders(common | one), without_files_as_folders(common | other)
    memory = Memory()
    found = list(diff(write(rows(old), memory.put), write(rows(new), memory.put), memory))
    expected = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    assert [each.path for each in found] == sorted(expected)
    for each in found:
        assert each.old == (Entry(each.path, *old[each.path]) if each.path in old else None)
        assert each.new == (Entry(each.path, *new[each.path]) if each.path in new else None)
        assert each.change == ("added" if each.old is None else "removed" if each.new is None else "changed")


@settings(max_examples=150, deadline=None)
@given(TREES, TREES, TREES)
def test_rewriting_what_changed_gives_what_writing_all_of_it_gives(
    common: dict[bytes, tuple[str, Digest, int]],
    one: dict[bytes, tuple[str, Digest, int]],
    other: dict[bytes, tuple[str, Digest, int]],
) -> None:
    old, new = without_files_as_folders(common | one), without_files_as_folders(common | other)
    memory = Memory()
    before = write(rows(old), memory.put)
    rewrite = Rewrite(before, memory, memory.put)
    for path in sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path)):
        rewrite.change(path, Entry(path, *new[path]) if path in new else None)
    assert rewrite.finish() == write(rows(new), memory.put)
    assert rewrite.is_changed == (old != new)


def test_rewriting_reads_and_writes_few_ranges() -> None:
    memory = Memory()
    old = [Entry(b"part-%06d" % number, "f", Digest.of(b"%d" % number), number) for number in range(60_000)]
    before = write(old, memory.put)
    stored = set(memory.objects)
    rewrite = Rewrite(before, memory, memory.put)
    rewrite.change(b"part-012345", None)
    rewrite.change(b"part-050000", Entry(b"part-050000", "x", Digest.of(b"other"), 5))
    rewrite.change(b"part-9", Entry(b"part-9", "f", Digest.of(b"last"), 4))
    after = rewrite.finish()
    new = {entry.path: entry for entry in old} | {
        b"part-050000": Entry(b"part-050000", "x", Digest.of(b"other"), 5),
        b"part-9": Entry(b"part-9", "f", Digest.of(b"last"), 4),
    }
    del new[b"part-012345"]
    assert after == write([new[path] for path in sorted(new)], memory.put)
    assert len(memory.reads) <= 4
    assert len(set(memory.objects) - stored) <= 5


def reseal(manifest: Manifest, memory: Memory, number: int, altered: bytes) -> Digest:
    """Store a manifest in which the text of one range is `altered`, and everything above it says so."""
    root = memory.objects[manifest.digest].decode()
    lines = root.split("\n")
    found = re.findall(rb"[fxl] [0-9a-f]{64} ([0-9]+) ([^ \n]+)\n", altered)
    size = sum(int(each) for each, _ in found)
    first, last = (found[0][1].decode(), found[-1][1].decode()) if found else ("?", "?")
    lines[2 + number] = f"{memory.put(altered).hex} {len(found)} {size} {first} {last}"
    parts = [line.split(" ") for line in lines[2:-1]]
    lines[1] = f"{sum(int(part[1]) for part in parts)} {sum(int(part[2]) for part in parts)}"
    return memory.put("\n".join(lines).encode())


@settings(max_examples=150, deadline=None)
@given(TREES.filter(len), st.data())
def test_only_the_canonical_text_is_read(tree: dict[bytes, tuple[str, Digest, int]], data: st.DataObject) -> None:
    """Whatever is done to the lines, either the result is refused or it is what `write` makes of its entries."""
    memory = Memory()
    manifest = write(rows(tree), memory.put)
    number = data.draw(st.integers(0, len(manifest.ranges) - 1))
    lines = memory.objects[manifest.ranges[number].digest].splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at:at] = data.draw(
        st.sampled_from(
            [[], [lines[at]], [b"\n"], [lines[-1]], [b"f " + b"0" * 64 + b" 07 a\n"], [b"f " + b"0" * 64 + b" 1 %61\n"]]
        )
    )
    start = data.draw(st.integers(0, len(lines)))
    del lines[start : start + data.draw(st.integers(0, 2))]
    lines = data.draw(st.one_of(st.just(lines), st.permutations(lines)))
    try:
        loaded = load(reseal(manifest, memory, number, b"".join(lines)), memory)
        again = write(entries(loaded, memory), memory.put)
    except BadManifest:
        return
    except BadInput as error:  # `write` finding what `entries` let through
        raise AssertionError(error) from error
    assert again == loaded


@settings(max_examples=150, deadline=None)
@given(TREES, st.data())
def test_a_root_of_other_bytes_is_refused_or_canonical(
    tree: dict[bytes, tuple[str, Digest, int]], data: st.DataObject
) -> None:
    memory = Memory()
    text = bytearray(memory.objects[write(rows(tree), memory.put).digest])
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        loaded = load(memory.put(bytes(text)), memory)
        again = write(entries(loaded, memory), memory.put)
    except (BadManifest, ObjectMissing):
        return
    assert again == loaded


def test_ranges_cut_elsewhere_are_refused() -> None:
    boundary = boundary_names()[0]
    rest = boundary + b"x"
    tree = [Entry(boundary, "f", Digest.of(b""), 0), Entry(rest, "f", Digest.of(b""), 0)]
    memory = Memory()
    assert [part.count for part in write(tree, memory.put).ranges] == [1, 1]
    both = "".join(f"f {each.digest.hex} 0 {spell(each.path)}\n" for each in tree).encode()
    merged = f"2 0\n{memory.put(both).hex} 2 0 {boundary.decode()} {rest.decode()}\n".encode()
    with pytest.raises(BadManifest, match="should end after"):
        list(entries(load(memory.put(HEADER + merged), memory), memory))
    split = [Entry(b"one", "f", Digest.of(b""), 0), Entry(b"two", "f", Digest.of(b""), 0)]
    parts = [write([each], memory.put).ranges[0] for each in split]
    text = "2 0\n" + "".join(f"{part.digest.hex} 1 0 {part.first.decode()} {part.last.decode()}\n" for part in parts)
    with pytest.raises(BadManifest, match="cut at another place"):
        load(memory.put(HEADER + text.encode()), memory)


@pytest.mark.parametrize(
    "paths",
    [
        [b"b", b"a"],
        [b"a", b"a"],
        [b"a", b"a!", b"a/b"],
        [b"../a"],
        [b"/a"],
        [b"a//b"],
        [b"a/"],
        [b""],
        [b"."],
        [b"a/./b"],
        [b"a\0b"],
    ],
    ids=repr,
)
def test_what_is_no_set_of_files_is_not_written(paths: list[bytes]) -> None:
    memory = Memory()
    with pytest.raises(BadInput):
        write([Entry(path, "f", Digest.of(b""), 0) for path in paths], memory.put)
    assert memory.objects == {}


def test_versions_of_a_large_set_share_ranges_and_diff_reads_only_the_others() -> None:
    memory = Memory()
    old = [Entry(b"part-%06d" % number, "f", Digest.of(b"%d" % number), number) for number in range(30_000)]
    first = write(old, memory.put)
    assert 3 <= len(first.ranges) <= 20
    new = [*old[:12_345], Entry(b"part-012344a", "f", Digest.of(b"new"), 1), *old[12_345:]]
    second = write(new, memory.put)
    changed = set(second.ranges) - set(first.ranges)
    assert len(changed) <= 2
    memory.reads.clear()
    assert [(each.path, each.change) for each in diff(first, second, memory)] == [(b"part-012344a", "added")]
    assert len(memory.reads) <= 4


def test_the_text_of_a_manifest() -> None:
    """The format as documented, by hand: other programs depend on it."""
    memory = Memory()
    digest = Digest.of(b"data")
    manifest = write([Entry(b"a b/\xff", "x", digest, 4), Entry(b"z", "l", digest, 4)], memory.put)
    part = f"x {digest.hex} 4 a%20b/%FF\nl {digest.hex} 4 z\n".encode()
    root = f"lineal-manifest/1\n2 8\n{Digest.of(part).hex} 2 8 a%20b/%FF z\n".encode()
    assert memory.objects == {Digest.of(part): part, Digest.of(root): root}
    assert manifest.digest == Digest.of(root)
    assert write([], memory.put).digest == Digest.of(b"lineal-manifest/1\n0 0\n")
