"""Collect from DVC: what it tracks as versions, the stages that it executed as runs, joined at the commits of git."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.app.collect import Collected, Collection, Progress, collect
from lineal.app.dvc_record import Recorder
from lineal.app.session import Session
from lineal.core.observation import Gap, Observation
from lineal.core.path import spell
from lineal.core.redaction import clean
from lineal.errors import LinealError
from lineal.sources.dvc import Reader, project_root
from lineal.sources.dvc_blobs import Blobs
from lineal.sources.dvc_config import LARGEST, Config, read_config, user_files
from lineal.sources.dvc_git import Repository, Selection, open_repository, read_history, uncommitted
from lineal.sources.dvc_seen import Seen

_STEP: Final = 100
_MOST_HEADS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to collect: whether remotes are asked, the user's own configuration counts, and bytes are read."""

    use_remote: bool = True
    user_config: bool = False
    hash_bytes: bool = False


def collect_dvc(
    session: Session,
    folder: Path,
    selection: Selection,
    options: Options | None = None,
    on_progress: Progress | None = None,
) -> Collected:
    """Record what DVC says at the commits of `selection` in the repository that `folder` lies in.

    Nothing is checked out, and DVC is not run. Raises `BadInput` outside of a git repository and for a revision that
    is not there, `SourceError` when git fails.
    """
    repository = open_repository(folder)
    collection = Collection("dvc", repository.name)
    seen = _observe(session, collection, repository, selection, options or Options())
    return collect(session, collection, seen, on_progress)


def _observe(
    session: Session, collection: Collection, repository: Repository, selection: Selection, options: Options
) -> Iterator[Observation | Gap]:
    history = read_history(repository, selection)
    if not (selection.revs or selection.tags or selection.branches) and (changed := uncommitted(repository)):
        about = f"{len(changed)} files of DVC are not as in the last commit, or not in it (such as {spell(changed[0])})"
        yield Gap("dvc.uncommitted", f"{about}: what they say is not recorded", repository.name)
    with Blobs(repository.place.history) as blobs:
        reader = Reader(repository, history, blobs)
        configs: dict[bytes, Config] = {}
        for project in reader.projects:
            yield from _configure(repository, project, blobs, configs, user_config=options.user_config)
        recorder = Recorder(
            session, repository, reader, configs, use_remote=options.use_remote, hash_bytes=options.hash_bytes
        )
        waiting: list[Seen] = []
        for commit, items in itertools.groupby(reader.read(), lambda item: getattr(item, "commit", None)):
            if commit is None:
                yield from (item for item in items if isinstance(item, Gap))
                continue
            waiting += (item for item in items if isinstance(item, Seen))
            if len(waiting) >= _STEP:
                yield from recorder.record(waiting)
                waiting.clear()
        yield from recorder.record(waiting)
        yield from recorder.lists.gaps
    collection.covered = {
        "commits": list(history.heads[:_MOST_HEADS]),
        "every_commit": selection.commits,
        "place": spell(os.fsencode(os.path.abspath(repository.folder))),
        "user_config": options.user_config,
        "projects": {spell(project): _describe(config) for project, config in configs.items()},
    }


def _configure(
    repository: Repository, project: bytes, blobs: Blobs, configs: dict[bytes, Config], *, user_config: bool
) -> Iterator[Gap]:
    root = project_root(repository, project)
    committed = blobs.read_at("HEAD", (project + b"/" if project else b"") + b".dvc/config", LARGEST)
    try:
        configs[project] = load_config(root, committed, user_config=user_config)
    except LinealError as error:
        configs[project] = Config(root / ".dvc" / "cache")
        yield Gap("dvc.config", f"the configuration is not used: {error.message}", spell(project) or None)


def load_config(root: Path, committed: bytes | None, *, user_config: bool) -> Config:
    """Return where the bytes of the project in `root` are; with `user_config` by files that git does not have, too."""
    if not user_config:
        return read_config(root, committed)
    system, user = user_files(Path.home())
    return read_config(root, committed, [(system, False), (user, False), (root / ".dvc" / "config.local", True)])


def _describe(config: Config) -> dict[str, Any]:
    return {
        "cache": spell(os.fsencode(config.cache)),
        "default": config.default,
        "remotes": {clean(name): remote.describe() for name, remote in config.remotes.items()},
    }
