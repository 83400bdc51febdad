"""The longest names that may be recorded can be found again, on every database."""

import random
import string

from places import Place

from kit import Speaker
from lineal.catalog.project import catch_up, prepare
from lineal.catalog.reader import Catalog
from lineal.core.digest import Digest
from lineal.core.observation import Node
from lineal.core.ref import MAX_NODE


def test_names_of_any_length_never_stop_the_catalog(place: Place) -> None:
    words = random.Random(7)  # databases compress what repeats itself

    def text(length: int) -> str:
        return "".join(words.choices(string.ascii_letters + string.digits, k=length))

    digest = Digest.of(b"x")
    ref = f"file:{text(MAX_NODE - len(f'file:@{digest}'))}@{digest}"
    alias = text(MAX_NODE)
    members = ((digest, text(MAX_NODE)), (digest, text(9000)))
    node = Node(ref=ref, basis="claimed", digest=digest, aliases=(alias, text(9000)), members=members)
    with place.create() as ledger:
        ledger.append([Speaker().says(nodes=(node,))])
        prepare(ledger.database)
        assert catch_up(ledger.database, ledger.reader) == 2
        catalog = Catalog(ledger.database)
        assert catalog.resolve(alias).canonical == ref
        assert [path for _, path in catalog.holders([str(digest)])[str(digest)]] == [members[0][1]]
