"""The doctor names what is wrong and what to do, and changes nothing."""

from __future__ import annotations

import json

import pytest

from gamelake.cli.doctor import java


def findings(text: str) -> dict[str, dict[str, str]]:
    return {f"{each['area']} {each['name']}": each for each in json.loads(text)["findings"]}


def test_a_healthy_project(toy) -> None:
    found = findings(toy.ok("doctor", "--json"))

    assert found["store ledger"]["state"] == "ok"
    assert found["store lake"]["detail"].startswith("3 tables, ")
    assert found["pack toy"]["detail"] == "Toy game"


@pytest.mark.parametrize(
    ("version", "state", "detail"),
    [
        (None, "warn", "not installed; only for engine `spark`"),
        (11, "warn", "version 11; engine `spark` needs 17"),
        (21, "ok", "version 21"),
    ],
)
def test_the_java_for_spark_is_shown(monkeypatch, version, state, detail) -> None:
    monkeypatch.setattr("gamelake.engines.spark_start.java_version", lambda: version)

    found = java()

    assert (found.name, found.state, found.detail) == ("java", state, detail)


def test_settings_are_listed_on_request(toy) -> None:
    settings = json.loads(toy.ok("doctor", "--settings", "--json"))["settings"]

    assert {"name": "name", "value": "Toys"}.items() <= settings[0].items()
    assert "keep_versions" in toy.ok("doctor", "--settings")


def test_without_a_project_the_machine_is_looked_at(gamelake) -> None:
    done = gamelake("doctor")

    assert done.code == 0, done.err
    assert "no `gamelake.toml`" in done.out


def test_a_broken_settings_file_is_a_finding(gamelake) -> None:
    gamelake.ok("init", "p", "--pack", "toy")
    (gamelake.folder / "p" / "gamelake.toml").write_text("packs = [", encoding="utf-8")

    done = gamelake("doctor", "--json", "-C", "p")

    assert done.code == 1
    assert findings(done.out)["project settings"]["state"] == "failed"


def test_a_broken_ledger_is_a_finding(gamelake) -> None:
    gamelake.ok("init", "p", "--pack", "toy")
    gamelake.ok("toy", "load", "2026-01-01", "ann=1", cwd=gamelake.folder / "p")
    (gamelake.folder / "p" / ".gamelake" / "ledger.db").write_bytes(b"no database" * 500)

    done = gamelake("doctor", "--json", "-C", "p")

    assert done.code == 1
    assert findings(done.out)["store ledger"]["state"] == "failed"
    assert "Traceback" not in done.err


def test_a_pack_that_fails_to_import_does_not_take_the_rest_with_it(gamelake_process, tmp_path) -> None:
    gamelake = gamelake_process
    broken = tmp_path / "broken"
    (broken / "bad_pack-1.0.dist-info").mkdir(parents=True)
    (broken / "bad_pack-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: bad-pack\nVersion: 1.0\n"
    )
    (broken / "bad_pack-1.0.dist-info" / "entry_points.txt").write_text(
        "[gamelake.packs]\nbad = bad_pack:PACK\n"
    )
    (broken / "bad_pack.py").write_text("raise RuntimeError('half installed')\n")
    path = f"{gamelake.environment['PYTHONPATH']}:{broken}"

    done = gamelake("doctor", "--json", PYTHONPATH=path)

    assert done.code == 1
    assert findings(done.out)["pack bad"]["detail"] == "RuntimeError: half installed"
    assert gamelake("--help", PYTHONPATH=path).code == 0
    assert (
        "pack `bad` is installed and fails to import"
        in gamelake("init", "q", "--pack", "bad", PYTHONPATH=path).err
    )
