"""A log written by Lineal's tiles, bundles, proofs and checkpoints, read by Go's sumdb/note and sumdb/tlog.

Needs Debian's `golang-go` and `golang-golang-x-mod-dev` (no network, no module proxy); skipped where they are absent.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lineal.core.checkpoint import Checkpoint, sign_checkpoint
from lineal.core.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash
from lineal.core.tile import Tile, bundle_path, encode_bundle, grow_tiles, hash_at_from_tiles, tile_path
from lineal.ledger.keys import SigningKey

GO_PATH = Path("/usr/share/gocode")  # where Debian puts the sources of Go packages
PROGRAM = Path(__file__).parent / "go" / "verify.go"
KEY = SigningKey("lineal.example/go", bytes(range(32)))
SIZES = [1, 2, 255, 256, 257, 1000, 65_535, 65_536, 70_000]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs Go and x/mod: apt-get install golang-go golang-golang-x-mod-dev")
    place = tmp_path_factory.mktemp("go")
    variables = {"HOME": str(place), "GOCACHE": str(place / "cache"), "GOPATH": str(GO_PATH)}
    subprocess.run(
        [go, "build", "-o", str(place / "verify"), str(PROGRAM)],
        env={**os.environ, **variables, "GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0"},
        cwd=place,
        check=True,
    )
    return place / "verify"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 70,000 entries (three levels of tiles), grown in steps, with the checkpoint of each step."""
    place = tmp_path_factory.mktemp("log")
    entries = [b"entry %d" % index for index in range(SIZES[-1])]
    entries[7], entries[300] = b"", bytes(65_535)
    frontier = Frontier()

    def write(path: str, data: bytes) -> None:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)

    for size in SIZES:
        old, leaves = frontier.size, [leaf_hash(entry) for entry in entries[frontier.size : size]]
        frontier = frontier.extend(leaves)
        for tile, data in grow_tiles(old, leaves, reader(place)):
            write(tile_path(tile.level, tile.index, tile.width), data)
            if tile.level == 0:
                start = tile.index * 256
                write(bundle_path(tile.index, tile.width), encode_bundle(entries[start : start + tile.width]))
        checkpoint = Checkpoint(origin=KEY.name, size=size, root=frontier.root())
        write(f"checkpoint.{size}", sign_checkpoint(checkpoint, KEY))
    shutil.copy(place / f"checkpoint.{SIZES[-1]}", place / "checkpoint")
    (place / "proofs").write_text("".join(proofs_of(place, entries)))
    return place


def reader(log: Path) -> Callable[[Tile], bytes]:
    return lambda tile: (log / tile_path(tile.level, tile.index, tile.width)).read_bytes()


def proofs_of(log: Path, entries: list[bytes]) -> list[str]:
    """Our proofs as lines for the Go program, for all sizes of which there is a checkpoint."""
    roots, frontier = {}, Frontier()
    for size in SIZES:
        frontier = frontier.extend(map(leaf_hash, entries[frontier.size : size]))
        roots[size] = frontier.root()
    lines = []
    for new in SIZES:
        hash_at = hash_at_from_tiles(new, reader(log))
        for index in sorted({0, 7 % new, new // 3, new // 2, new - 1}):
            proof = inclusion_proof(index, new, hash_at)
            hashes = [leaf_hash(entries[index]), roots[new], *proof]
            lines.append(" ".join(["inclusion", str(index), str(new), *(item.hex() for item in hashes)]) + "\n")
        for old in [size for size in SIZES if size <= new]:
            hashes = [roots[old], roots[new], *consistency_proof(old, new, hash_at)]
            lines.append(" ".join(["consistency", str(old), str(new), *(item.hex() for item in hashes)]) + "\n")
    return lines


def verify(program: Path, log: Path) -> subprocess.CompletedProcess[str]:
    older = [str(log / f"checkpoint.{size}") for size in SIZES]
    command = [str(program), str(log), str(KEY.verifying_key), str(log / "proofs"), *older]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_go_accepts_the_log_and_our_proofs(program: Path, log: Path) -> None:
    result = verify(program, log)
    assert (result.returncode, result.stderr) == (0, "")
    count = len((log / "proofs").read_text().splitlines())
    assert count > 80
    assert result.stdout == f"70000 entries, {len(SIZES)} older checkpoints, {count} proofs\n"


@pytest.mark.parametrize(
    "name",
    ["tile/0/123", "tile/0/273.p/112", "tile/1/000", "tile/2/000.p/1", "tile/entries/001", "checkpoint", "proofs"],
)
def test_go_refuses_it_with_one_bit_changed(program: Path, log: Path, name: str) -> None:
    path = log / name
    original = path.read_bytes()
    at = len(original) // 2
    path.write_bytes(original[:at] + bytes([original[at] ^ 1]) + original[at + 1 :])
    try:
        result = verify(program, log)
    finally:
        path.write_bytes(original)
    assert result.returncode == 1
    assert result.stderr.startswith("verify: ")
