"""Looking at images, for tests: one collection in an open session, with no user's configuration and no real waiting."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineal.app.collect_oci import CollectedImages, Request, collect_images
from lineal.app.session import Session
from lineal.catalog.reader import Fact
from lineal.core.image import parse
from lineal.wiring import Settings, create, open_session


@dataclass
class Looker:
    """A session, and how long a look would have waited."""

    session: Session
    environment: Mapping[str, str] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)

    def look(self, *images: str, **options: Any) -> CollectedImages:
        return collect_images(
            self.session,
            Request(
                images=tuple(parse(image) for image in images),
                environment=options.pop("environment", self.environment),
                sleep=self.waited.append,
                **options,
            ),
        )

    def facts(self, text: str) -> list[Fact]:
        """Return all that is said of one thing."""
        catalog = self.session.catalog
        return catalog.facts([catalog.resolve(text).id])

    def containers(self) -> list[str]:
        """Return the containers recorded."""
        return sorted(view.canonical for view in self.session.catalog.all_nodes("container"))

    def sources_of(self, text: str) -> set[str]:
        """Return everything that `text` was made from, near and far, by canonical reference."""
        catalog = self.session.catalog
        return {
            view.canonical for view in catalog.views(catalog.closure(catalog.resolve(text).id, up=True).depths).values()
        }

    def run_gaps(self) -> list[tuple[str, str | None]]:
        """Return the gaps that the last collection recorded, with what they are about."""
        catalog = self.session.catalog
        last = max(catalog.all_nodes("run"), key=lambda view: view.idx or 0)
        assert last.idx is not None
        return [(gap["code"], gap["about"]) for gap in catalog.gaps([last.idx])]


def codes(done: CollectedImages) -> list[str]:
    """Return the codes of the gaps, without the one that every registry but ECR leaves."""
    return [gap.code for gap in done.collected.gaps if gap.code != "oci.mutability_unknown"]


@contextmanager
def looking(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Looker]:
    """Make a ledger in `folder` and open it."""
    create(Settings(), folder, "lineal.test/log")
    with open_session(Settings(ledger=str(folder), actor="tester")) as session:
        yield Looker(session, environment or {"HOME": str(folder)})
