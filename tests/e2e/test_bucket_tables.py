"""Tables in buckets: two versions of a prefix are compared row by row, and only what differs is fetched."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineal.app.comparison import Section
from lineal.app.diff import diff
from lineal.app.diff_tables import RowOptions
from servers.buckets import Store
from servers.proxy import Proxy


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def sections(store: Store, **asked: Any) -> dict[str, Section]:
    found = diff(store.ledger.session, "dataset:d@1", "dataset:d@2", rows=RowOptions(**asked)).comparison
    return {section.name: section for section in found.sections}


@pytest.mark.parametrize("versioned", [False, True])
def test_rows_of_two_versions_of_a_prefix(store: Store, proxy: Proxy, versioned: bool) -> None:
    if versioned:
        store.keep_versions()
    store.put(**{f"p/t-{number}.parquet": parquet(a=[number, number]) for number in range(4)})
    store.put(**{"p/u.csv": b"id,name\n1,x\n2,y\n"})
    store.snapshot()
    store.put(**{"p/t-1.parquet": parquet(a=[1, 7]), "p/u.csv": b"id,name\n1,x\n2,z\n"})
    store.snapshot()
    proxy.seen.clear()
    found = sections(store, key=("id",))
    csv = found["rows of u.csv"]
    if versioned:  # both states can still be had
        assert (csv.added, csv.removed, csv.changed, csv.same, csv.note) == (0, 0, 1, 1, None)
        assert (found["rows of t-*.parquet"].added, found["rows of t-*.parquet"].removed) == (1, 1)
    else:  # the old bytes are gone, and that is said
        assert "cannot be compared" in (csv.note or "")
