"""Two real databases for the same tests: SQLite in a file, and a PostgreSQL server started for the session."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit import LOG, now
from lineal.ledger.database import Database
from lineal.ledger.home import Home
from lineal.ledger.log import Clock, Ledger, create_ledger, open_ledger

_PASSWORD = secrets.token_hex(8)


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL that only this session uses."""

    port: int

    def url(self, database: str, user: str = "lineal", password: str = _PASSWORD) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres") -> list[Any]:
        """Carry out one statement as its administrator."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def serving(package: Path) -> Iterator[Server]:
    """Run PostgreSQL on a free port of the loopback; as root it runs as `nobody`, since it refuses to be root."""
    folder = Path(tempfile.mkdtemp(prefix="lineal-pg-"))
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    try:
        programs = _reachable(package, folder, identity)
        _initialise(programs, folder, identity)
        server, process = _start(programs, folder, identity)
        try:
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown
            process.wait(300)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reachable(package: Path, folder: Path, identity: dict[str, Any]) -> Path:
    """Return the folder of the programs, copied if they stand where `nobody` may not go (below /root, say)."""
    programs = package / "pginstall" / "bin"
    try:
        subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, cwd=folder, **identity)
    except PermissionError:
        for name in (package.name, f"{package.name}.libs"):
            shutil.copytree(package.parent / name, folder / name, symlinks=True)
        return folder / package.name / "pginstall" / "bin"
    return programs


def _initialise(programs: Path, folder: Path, identity: dict[str, Any]) -> None:
    secret = folder / "password"
    secret.write_text(_PASSWORD)
    secret.chmod(0o644)
    command = [programs / "initdb", "-D", folder / "data", "-U", "lineal", f"--pwfile={secret}"]
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
    subprocess.run([*command, *options], check=True, capture_output=True, cwd=folder, **identity)


def _start(programs: Path, folder: Path, identity: dict[str, Any]) -> tuple[Server, subprocess.Popen[bytes]]:
    for _ in range(3):  # somebody may take the port between finding it free and listening on it
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            server = Server(probe.getsockname()[1])
        command = [programs / "postgres", "-D", folder / "data", "-h", "127.0.0.1", "-p", str(server.port), "-k", ""]
        command += ["-N", "60", "-c", "fsync=off"]  # no test cuts the power of the server
        with open(folder / "log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **identity)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                server.run("SELECT 1")
            except Exception:
                time.sleep(0.05)
            else:
                return server, process
        process.kill()
        process.wait()
    raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()}")


@dataclass(frozen=True)
class Place:
    """Where one test keeps its ledger and its catalog: a folder, and on PostgreSQL a database of its own."""

    home: Home
    server: Server | None
    name: str

    def connect(self, home: Home | None = None, *, read_only: bool = False, create: bool = False) -> Database:
        if self.server is not None:
            return Database.postgresql(self.server.url(self.name), read_only=read_only)
        return Database.sqlite((home or self.home).ledger_file, read_only=read_only, create=create)

    def connect_catalog(self) -> Database:
        if self.server is not None:
            return Database.postgresql(self.server.url(self.name), durable=False)
        return Database.sqlite(self.home.catalog_file, durable=False, create=True)

    def create(self, clock: Clock = now) -> Ledger:
        create_ledger(self.home, LOG, clock, lambda staged: self.connect(staged, create=True))
        return self.open(clock)

    def open(self, clock: Clock = now, *, read_only: bool = False) -> Ledger:
        database = self.connect(read_only=read_only)
        try:
            return open_ledger(self.home, database, clock)
        except BaseException:
            database.close()
            raise
