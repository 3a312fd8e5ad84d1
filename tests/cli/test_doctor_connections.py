"""What `doctor` says of the connections of the profile."""

from __future__ import annotations

import json

from trino_protocol import TrinoDouble

from postgres_server import USER

PASSWORD = "hunter2"


def write(folder, **keys):
    lines = "\n".join(f'{key} = "{value}"' for key, value in keys.items())
    (folder / "gamelake.toml").write_text(
        f'[profiles.dev.connections.warehouse]\nkind = "postgres"\nuser = "{USER}"\n{lines}\n',
        encoding="utf-8",
    )


def connections(done) -> list[dict]:
    return [each for each in json.loads(done.out)["findings"] if each["area"] == "connection"]


def test_a_connection_that_answers(gamelake, tmp_path, postgres_server, database):
    write(tmp_path, host=postgres_server.folder, database=database)

    (found,) = connections(gamelake("doctor", "--json"))

    assert (found["name"], found["state"]) == ("dev: warehouse", "ok")
    assert found["detail"].startswith("Postgres 1")
    assert not (tmp_path / ".gamelake").exists()  # looking changes nothing


def test_a_connection_that_does_not_shows_no_secret(gamelake, tmp_path):
    write(tmp_path, host=tmp_path, database="games")

    done = gamelake("doctor", "--json", GAMELAKE_CONNECTION_WAREHOUSE_PASSWORD=PASSWORD)

    (found,) = connections(done)
    assert (done.code, found["state"]) == (1, "failed")
    assert "no connection to Postgres at" in found["detail"]
    assert PASSWORD not in done.out + done.err


def test_a_trino_that_answers(gamelake, tmp_path):
    with TrinoDouble().serving() as double:
        (tmp_path / "gamelake.toml").write_text(
            '[profiles.dev.connections.game]\nkind = "trino"\nhost = "localhost"\nuser = "etl"\n'
            f'catalog = "hive"\nhttp_scheme = "http"\nport = {double.port}\n'
        )

        (found,) = connections(gamelake("doctor", "--json"))

    assert found["detail"] == f"Trino 480-double, http://etl@localhost:{double.port}/hive"


def test_an_open_breaker_is_told(gamelake, tmp_path, postgres_server, database):
    write(tmp_path, host=postgres_server.folder, database=database)
    health = tmp_path / ".gamelake" / "remotes" / "dev.warehouse.json"
    health.parent.mkdir(parents=True)
    health.write_text('{"failures": 5, "last_failure": "2999-01-01T00:00:00+00:00", "problem": "gone"}')

    (found,) = connections(gamelake("doctor", "--json"))

    assert found["state"] == "warn"
    assert "breaker open after 5 failures in a row" in found["detail"]
