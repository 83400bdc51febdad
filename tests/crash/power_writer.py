"""A program that records for ever in the ledger of a folder, and tells of each event once it is acknowledged."""

import sys
from pathlib import Path

import lineal
from lineal.core.digest import Digest
from lineal.core.observation import Node, Observation
from lineal.ledger import database

if __name__ == "__main__":
    folder, durable = Path(sys.argv[1]), sys.argv[2] == "durable"
    if not durable:  # what the rig must be able to show: a database that does not sync loses what it acknowledged
        set_up = database.Database._set_up

        def forgetful(self: database.Database, connection: object, record: object) -> None:
            set_up(self, connection, record)
            connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]

        database.Database._set_up = forgetful  # type: ignore[method-assign]
    with lineal.open(str(folder), actor="writer") as client:
        session = client.session
        for number in range(1_000_000):
            content = f"content of {session.producer} {number}\n".encode()
            digest = session.objects.put_bytes(content) if number % 10 == 0 else Digest.of(content)
            ref = f"file:{session.producer}/{number}@{digest}"
            detail = {"stored": "object"} if number % 10 == 0 else {}
            client.record(
                [
                    Observation(
                        type="power.tested/1",
                        time=session.clock(),
                        actor="writer",
                        basis="observed",
                        nodes=(Node(ref=ref, basis="observed", digest=digest, detail=detail),),
                    )
                ]
            )
            print(ref, flush=True)
            if number % 50 == 49:
                session.ledger.publish()
                print("published", session.ledger.reader.size(), flush=True)
