"""Hashing on many machines: the workers of an existing cluster read the files, through joblib; the result is the same.

The workers must see the files under the same path. What a worker reads must have the size and the time that were seen
here: another file under the same name is an error, never a digest.
"""

import importlib
import logging
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from lineal.datasets.block import KEY, Block, Hashed, distrust, is_settled
from lineal.datasets.reading import FileReader
from lineal.datasets.tree import Cursor
from lineal.errors import BadInput, LinealError, ObjectChanged, SourceError, UsageError
from lineal.objects.copying import fingerprint, open_source

_TASK_FILES: Final = 512
_TASK_BYTES: Final = 256 << 20
_TASKS_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Task:
    """Files of one folder for one worker: `root` is the absolute path of the tree, `folder` one below it."""

    root: bytes
    folder: bytes
    files: tuple[tuple[int, bytes, bytes], ...]


def hash_files(task: Task) -> list[Hashed] | str:
    """Return what a worker reads of the files of `task`, number, digest and key of each; or why it cannot."""
    where = socket.gethostname()
    try:
        cursor = Cursor(os.open(task.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError as error:
        return f"the worker on {where} cannot read {os.fsdecode(task.root)!r}: {error.strerror}"
    try:
        for name in task.folder.split(b"/")[:-1]:
            cursor.enter(name)
        return [_hash(task, cursor.descriptor, *file) for file in task.files]
    except OSError as error:
        return f"the worker on {where} cannot read {os.fsdecode(task.root + b'/' + task.folder)!r}: {error.strerror}"
    except LinealError as error:
        return f"the worker on {where}: {error.message}"
    finally:
        cursor.close()


def _hash(task: Task, folder: int, number: int, name: bytes, key: bytes) -> Hashed:
    shown = os.fsdecode(task.root + b"/" + task.folder + name)
    descriptor = open_source(name, shown, folder=folder)
    try:
        now = time.time_ns()
        digest, size = fingerprint(descriptor, shown)
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    inode, seen, mtime, ctime, mode = KEY.unpack(key)
    if (size, status.st_mtime_ns) != (seen, mtime):
        raise ObjectChanged(f"{shown!r} is not the file that was seen, or was written to")
    same = (status.st_ino, status.st_ctime_ns) == (inode, ctime) and is_settled(key, now)
    return number, digest.value, key if same else distrust(KEY.pack(inode, seen, mtime, ctime, mode))


class SpreadReader(FileReader):
    """Lets an engine read files: `engine` is one of `ENGINES`, or None for `jobs` processes on this machine."""

    ahead = 1 << 30

    def __init__(self, prefix: str, root: bytes, engine: str | None, jobs: int | None) -> None:
        super().__init__(prefix, None)
        self._root = root
        self._engine = engine or "processes"
        self._run, self._end = _connect(engine, jobs)
        self._line = ThreadPoolExecutor(1)
        self._tasks: list[tuple[Task, Future[list[Hashed]]]] = []

    def close(self) -> None:
        """Begin nothing more, wait for what is being read, and leave the cluster."""
        super().close()
        self._line.shutdown(cancel_futures=True)
        self._end()

    def flush(self) -> None:
        """Send what is waiting to the engine."""
        if self._tasks:
            self._line.submit(self._do, self._tasks)
            self._tasks = []

    def _read_files(self, block: Block, numbers: list[int], folder: int, device: int) -> None:
        waiting: list[tuple[int, bytes, bytes]] = []
        size = 0
        for number in numbers:
            key = block.key(number)
            waiting.append((number, block.names[number], key))
            size += KEY.unpack(key)[1]
            if len(waiting) >= _TASK_FILES or size >= _TASK_BYTES:
                self._add(block, waiting)
                waiting, size = [], 0
        if waiting:
            self._add(block, waiting)
        if len(self._tasks) >= _TASKS_AT_ONCE:
            self.flush()

    def _add(self, block: Block, files: list[tuple[int, bytes, bytes]]) -> None:
        future: Future[list[Hashed]] = Future()
        block.pending.append(future)
        self._tasks.append((Task(self._root, block.folder, tuple(files)), future))

    def _do(self, tasks: list[tuple[Task, "Future[list[Hashed]]"]]) -> None:
        try:
            results = self._run([task for task, _ in tasks])
        except LinealError as error:
            failure: LinealError = error
        except Exception as error:  # noqa: BLE001  # whatever an engine raises, a person reads what it was
            said = str(error).strip().splitlines() or [type(error).__name__]
            failure = SourceError(f"the engine {self._engine} failed: {said[0][:500]}")
        else:
            for (_, future), found in zip(tasks, results, strict=True):
                if isinstance(found, str):
                    future.set_exception(_refused(found))
                else:
                    future.set_result(found)
            return
        for _, future in tasks:
            future.set_exception(failure)


def _refused(said: str) -> BadInput:
    return BadInput(
        f"{said}; nothing was recorded",
        fix="Let the workers see the files under the same path, or leave --engine out: they are read here then.",
    )


Run = Callable[[list[Task]], list["list[Hashed] | str"]]


def _connect(engine: str | None, jobs: int | None) -> tuple[Run, Callable[[], None]]:
    """Return what runs tasks on `engine`, and what leaves it; raise `UsageError` where its packages are missing."""
    try:
        from joblib import Parallel, delayed, parallel_config

        leave = _join(engine)
    except ModuleNotFoundError as error:
        extra = engine or "dask"
        raise UsageError(
            f"spreading over {engine or 'processes'} needs {error.name}", fix=f"pip install 'lineal[{extra}]'"
        ) from error
    backend = engine or "loky"

    def run(tasks: list[Task]) -> list[list[Hashed] | str]:
        with parallel_config(backend=backend, n_jobs=jobs or -1):
            found: list[list[Hashed] | str] = Parallel()(delayed(hash_files)(task) for task in tasks)
        return found

    return run, leave


def _join(engine: str | None) -> Callable[[], None]:
    """Join the cluster that the engine's own settings name, or start the engine on this machine if they name none."""
    if engine == "dask":
        client = _import("distributed").Client()  # DASK_SCHEDULER_ADDRESS, or the configuration of Dask
        return lambda: client.close()
    if engine == "ray":
        ray = _import("ray")
        ray.init(ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)  # RAY_ADDRESS
        _import("ray.util.joblib").register_ray()
        return lambda: ray.shutdown()
    if engine == "spark":
        _import("joblibspark").register_spark()
    return lambda: None


def _import(name: str) -> Any:
    return importlib.import_module(name)
