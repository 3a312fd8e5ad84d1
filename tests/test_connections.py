"""Connections by profile: what a file may say, who chooses, and that secrets stay secret."""

from pathlib import Path

import pytest

from gamelake.errors import LayoutError, OperatorError
from gamelake.settings import Settings

GOOD = """name = "x"
[profiles.dev.connections.warehouse]
kind = "postgres"
database = "games"
user = "etl"

[profiles.prod.connections.warehouse]
kind = "postgres"
host = "db.studio.example"
port = 5433
database = "games"
user = "etl"
sslmode = "verify-full"
"""
VARIABLE = "GAMELAKE_CONNECTION_WAREHOUSE_PASSWORD"


def load(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "gamelake.toml").write_text(text, encoding="utf-8")
    return Settings.load(tmp_path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(LayoutError) as caught:
        load(tmp_path, text)
    return str(caught.value).replace(str(tmp_path), "")


def test_the_profile_chooses_the_connection(tmp_path, monkeypatch):
    assert load(tmp_path, GOOD).connection("warehouse").host == "localhost"

    monkeypatch.setenv("GAMELAKE_PROFILE", "prod")

    assert load(tmp_path, GOOD).connection("warehouse").where == "etl@db.studio.example:5433/games"


def test_a_project_may_name_its_usual_profile(tmp_path):
    assert load(tmp_path, 'profile = "prod"\n' + GOOD).connection("warehouse").port == 5433


def test_an_unknown_profile_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMELAKE_PROFILE", "prd")

    said = refusal(tmp_path, GOOD)

    assert "the project has no profile `prd`, there are: dev, prod\n\nhint: did you mean `prod`?" in said


def test_an_unknown_connection_is_an_error(tmp_path):
    with pytest.raises(LayoutError) as caught:
        load(tmp_path, GOOD).connection("warehose")

    assert "profile `dev` has no connection `warehose`, there are: warehouse" in str(caught.value)
    assert "did you mean `warehouse`?" in str(caught.value)


def test_everything_wrong_is_said_with_its_line(tmp_path):
    text = """[profiles.dev.connections.a]
kind = "postgrs"
[profiles.dev.connections.b]
kind = "postgres"
databse = "games"
port = 0
password = "hunter2"
[profiles.dev.conections.c]
kind = "postgres"
[profiles.prod]
connections = 3
[profiles.dev.connections.lake]
kind = "trino"
host = "https://trino.example"
verify = false
[profiles.dev.connections.elsewhere]
kind = "iceberg"
uri = "postgresql://etl:hunter4@db/catalog"
"""
    said = refusal(tmp_path, text)

    assert "/gamelake.toml:2 (profiles.dev.connections.a.kind): unknown kind `postgrs`" in said
    assert "did you mean `postgres`?" in said
    assert "/gamelake.toml:5 (profiles.dev.connections.b.databse): unknown key `databse`" in said
    assert "/gamelake.toml:6 (profiles.dev.connections.b.port): input should be greater" in said
    assert "/gamelake.toml:7 (profiles.dev.connections.b.password): a secret does not belong into" in said
    assert "/gamelake.toml:3 (profiles.dev.connections.b): the key `user` is missing" in said
    assert "unknown key `conections`, expected one of: connections" in said
    assert "(profiles.prod.connections): `connections` is a value, expected a table" in said
    assert "unknown kind `postgrs`, expected one of: postgres, file, trino, iceberg, duckdb" in said
    assert "/gamelake.toml:14 (profiles.dev.connections.lake.host): string should match pattern" in said
    assert "/gamelake.toml:15 (profiles.dev.connections.lake.verify): unknown key `verify`" in said
    assert "the `uri` holds a password; set `GAMELAKE_CONNECTION_ELSEWHERE_PASSWORD` instead" in said
    assert "hunter" not in said


def test_a_password_comes_from_the_environment_or_a_file(tmp_path, monkeypatch):
    warehouse = load(tmp_path, GOOD).connection("warehouse")
    assert warehouse.password() is None

    monkeypatch.setenv(VARIABLE, "hunter2")
    assert warehouse.password() == "hunter2"

    (tmp_path / "secret").write_text("hunter3\n", encoding="utf-8")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(tmp_path / "secret"))
    assert warehouse.password() == "hunter3"


def test_a_secret_is_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "hunter2")
    settings = load(tmp_path, GOOD)
    settings.connection("warehouse").password()

    assert "hunter2" not in repr(settings) + str(settings.model_dump())

    monkeypatch.setenv(f"{VARIABLE}_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(OperatorError, match=f"both `{VARIABLE}` and `{VARIABLE}_FILE` are set") as caught:
        settings.connection("warehouse").password()
    assert "hunter2" not in str(caught.value)


def test_a_secret_file_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(tmp_path / "nowhere"))

    with pytest.raises(OperatorError, match="cannot be read: No such file"):
        load(tmp_path, GOOD).connection("warehouse").password()


def test_the_command_line_chooses_the_profile(gamelake, tmp_path):
    (tmp_path / "gamelake.toml").write_text(GOOD, encoding="utf-8")

    done = gamelake("doctor", "--settings", "--json", "--profile", "prod")
    wrong = gamelake("--profile=prd", "doctor")
    none = gamelake("doctor", "--profile")

    assert '"value": "prod"' in done.out
    assert "there are: dev, prod" in wrong.out
    assert (none.code, "`--profile` needs a name" in none.err) == (2, True)
