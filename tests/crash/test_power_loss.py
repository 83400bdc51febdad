"""Power loss: a disk whose cache is lost between two moments, as a block device sees it.

The disk is a file behind nbdkit with a write-back cache in memory: what was not flushed is gone when nbdkit is killed.
The file system above it (ext4, on a loop device over nbdfuse) then has what a disk would have after the power came
back. Needs root, /dev/fuse, loop devices, and Debian's nbdkit, libnbd-bin, fuse3 and e2fsprogs.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lineal
from lineal.cli.main import run
from lineal.core.digest import Digest

pytestmark = pytest.mark.torture

TOOLS = ("nbdkit", "nbdfuse", "fusermount3", "losetup", "mkfs.ext4", "e2fsck", "mount", "umount")
WRITER = Path(__file__).with_name("power_writer.py")
CUTS = 5

if os.geteuid() != 0 or not Path("/dev/fuse").exists() or any(shutil.which(tool) is None for tool in TOOLS):
    pytest.skip(f"needs root, /dev/fuse and {', '.join(TOOLS)}", allow_module_level=True)


def _call(*command: str | Path, check: bool = True) -> str:
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout.strip()


@contextmanager
def _mounted(image: Path, place: Path) -> Iterator[None]:
    loop = _call("losetup", "-f", "--show", image)
    try:
        _call("mount", loop, place)
        try:
            yield
        finally:
            _call("umount", place)
    finally:
        _call("losetup", "-d", loop)


def _wait_for(condition: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "the rig did not come up"
        time.sleep(0.05)


def _cut_power_under(folder: Path, image: Path, place: Path, kind: str, seconds: float) -> list[str]:
    """Write on the disk for some time, cut its power, and return what was acknowledged before."""
    socket, device = folder / "nbd.sock", folder / "nbd"
    device.touch()
    disk = subprocess.Popen(["nbdkit", "-f", "-U", socket, "--filter=cache", "file", image, "cache=writeback"])
    bridge = None
    try:
        _wait_for(socket.exists)
        bridge = subprocess.Popen(["nbdfuse", device, "--unix", socket])
        _wait_for(lambda: device.stat().st_size == image.stat().st_size)
        loop = _call("losetup", "-f", "--show", device)
        try:
            _call("mount", loop, place)
            said = folder / "said"
            with said.open("wb") as stream:
                writer = subprocess.Popen([sys.executable, WRITER, place, kind], stdout=stream)
                _wait_for(lambda: said.stat().st_size > 0)
                time.sleep(seconds)
                disk.kill()
                disk.wait()
                acknowledged = said.read_text().splitlines()
                writer.kill()
            _call("umount", "-l", place, check=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(10)
        finally:
            _call("losetup", "-d", loop, check=False)
    finally:
        disk.kill()
        disk.wait()
        _call("fusermount3", "-u", "-z", device, check=False)
        if bridge is not None:
            bridge.send_signal(signal.SIGTERM)
            bridge.wait(20)
        for left in (socket, device):
            left.unlink(missing_ok=True)
    _call("e2fsck", "-fy", image, check=False)
    return acknowledged


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A disk with an empty ledger on it."""
    made, place = tmp_path / "disk.img", tmp_path / "mnt"
    place.mkdir()
    with made.open("wb") as stream:
        stream.truncate(192 << 20)
    _call("mkfs.ext4", "-q", made)
    with _mounted(made, place):
        assert run(["init", str(place)]) == 0
    return made


def test_what_was_acknowledged_survives_power_loss(tmp_path: Path, image: Path) -> None:
    place = tmp_path / "mnt"
    acknowledged: list[str] = []
    for cut in range(CUTS):
        acknowledged += _cut_power_under(tmp_path, image, place, "durable", 0.5 + 0.37 * cut)
        with _mounted(image, place):
            assert run(["verify", "--ledger", str(place)]) == 0
            with lineal.open(str(place)) as client:
                refs = [line for line in acknowledged if line.startswith("file:")]
                found = client.session.catalog.find(refs)
                assert len(refs) > 20
                assert set(found) == set(refs)
                for view in found.values():
                    if view.detail.get("stored"):
                        client.session.objects.read(Digest.parse(view.digest or ""))
                sizes = [int(line.split()[1]) for line in acknowledged if line.startswith("published")]
                signed = client.session.ledger.reader.signed()
                assert max(sizes, default=0) <= signed[-1].size


def test_the_rig_shows_a_database_that_does_not_sync(tmp_path: Path, image: Path) -> None:
    place = tmp_path / "mnt"
    lost = 0
    for cut in range(3):
        acknowledged = _cut_power_under(tmp_path, image, place, "forgetful", 0.8 + 0.4 * cut)
        refs = {line for line in acknowledged if line.startswith("file:")}
        with _mounted(image, place):
            if run(["verify", "--ledger", str(place)]) != 0:
                lost += 1
                break
            with lineal.open(str(place)) as client:
                lost += len(refs - set(client.session.catalog.find(refs)))
    assert lost > 0
