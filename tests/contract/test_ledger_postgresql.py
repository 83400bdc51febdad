"""What only a database server can do to a ledger: refuse, hang up, restart."""

import threading

import pytest
from places import Place

from kit import Speaker, failures, until
from lineal.errors import ReadOnlyStore, StoreError, StoreUnavailable
from lineal.ledger.database import Database
from lineal.ledger.verify import verify_ledger

pytestmark = pytest.mark.parametrize("place", ["postgresql"], indirect=True)


def _hang_up(place: Place) -> None:
    """End every connection to the database, and wait until they have ended."""
    assert place.server is not None
    place.server.run(f"SELECT pg_terminate_backend(pid, 120000) FROM pg_stat_activity WHERE datname = '{place.name}'")


def test_a_wrong_password_is_told_and_not_shown(place: Place) -> None:
    assert place.server is not None
    database = Database.postgresql(place.server.url(place.name, password="not-the-one"))
    with pytest.raises(StoreUnavailable) as refused, database.reading():
        pass
    assert "not-the-one" not in str(refused.value)


def test_nobody_listening_is_told(place: Place) -> None:
    database = Database.postgresql("postgresql://lineal:x@127.0.0.1:9/none")
    with pytest.raises(StoreUnavailable), database.writing():
        pass


def test_a_connection_that_was_hung_up_is_opened_again(place: Place) -> None:
    speaker = Speaker()
    with place.create() as ledger:
        for _ in range(3):
            ledger.append([speaker.says()])
            _hang_up(place)
        assert ledger.append([speaker.says()])[0].idx == 4
        assert not failures(ledger)


def test_hanging_up_on_writers_loses_nothing_that_was_acknowledged(place: Place) -> None:
    with place.create() as ledger:
        done: list[tuple[int, object]] = []
        stop = threading.Event()

        def write(number: int) -> None:
            speaker = Speaker(f"w{number}")
            while not stop.is_set():
                event = speaker.says()
                while True:
                    try:
                        done.append((ledger.append([event])[0].idx, event.id))
                        break
                    except StoreUnavailable:
                        continue

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for number in range(1, 6):
            until(lambda number=number: len(done) >= 4 * number, "they write")  # type: ignore[misc]
            _hang_up(place)
        stop.set()
        for thread in threads:
            thread.join()
        stored = {entry.idx: entry.statement()[0]["id"] for entry in ledger.reader.entries()}
        assert done
        assert all(stored[idx] == name for idx, name in done)
        assert len(stored) == len(done) + 1
        assert not failures(ledger)


def test_a_role_that_may_only_read_verifies_and_does_not_write(place: Place) -> None:
    server, name = place.server, place.name
    assert server is not None
    with place.create() as ledger:
        ledger.append([Speaker().says()])
    server.run(f"CREATE ROLE r_{name} LOGIN PASSWORD 'r'")
    try:
        server.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO r_{name}", name)
        reader = Database.postgresql(server.url(name, f"r_{name}", "r"))
        with pytest.raises(ReadOnlyStore), reader.writing() as connection:
            connection.exec_driver_sql("DELETE FROM body")
        reader.close()
    finally:
        server.run(f"DROP OWNED BY r_{name}", name)
        server.run(f"DROP ROLE r_{name}")


def test_a_standby_is_read_and_verified_and_not_written(place: Place) -> None:
    assert place.server is not None
    with place.create() as ledger:
        ledger.append([Speaker().says()])
    place.server.run(f"ALTER DATABASE {place.name} SET default_transaction_read_only = on")
    with place.open() as ledger:
        assert not failures(ledger)
        with pytest.raises(ReadOnlyStore):
            ledger.append([Speaker("q").says()])
        assert ledger.reader.size() == 2


def test_events_of_the_database_server_are_no_findings(place: Place) -> None:
    with place.create() as ledger:
        ledger.append(Speaker().many(600))
        ledger.publish()
        _hang_up(place)
        assert not list(verify_ledger(ledger))


def test_a_server_that_is_gone_is_a_finding_and_no_exception(place: Place) -> None:
    ledger = place.create()
    server = place.server
    assert server is not None
    _hang_up(place)
    server.run(f"ALTER DATABASE {place.name} ALLOW_CONNECTIONS false")
    try:
        assert [item.code for item in failures(ledger)] == ["ledger.unreadable"]
        with pytest.raises(StoreError):
            ledger.append([Speaker().says()])
    finally:
        server.run(f"ALTER DATABASE {place.name} ALLOW_CONNECTIONS true")
        ledger.close()
