"""What the graph of the ledger says to rules: of images, of tags, of training data."""

from collections.abc import Sequence

from lineal.app.session import Session
from lineal.catalog.graph import Moment
from lineal.change.graph_rules import Built, Data


class LedgerLineage:
    """Answers from the graph of one ledger, as of a moment."""

    def __init__(self, session: Session, moment: Moment) -> None:
        self._session, self._moment = session, moment

    def image(self, uri: str) -> Built | None:
        """Return what is on record of an image, None if nothing is."""
        return None

    def tag(self, repository: str, tag: str) -> Sequence[tuple[str, str | None]]:
        """Return when a tag was seen to name which digest, oldest first."""
        return []

    def training_data(self, resource: str) -> Sequence[Data] | None:
        """Return the datasets that the model of a resource was trained on."""
        return None
