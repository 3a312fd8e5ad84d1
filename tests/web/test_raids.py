"""Raid pages over simulated logs: fights, meters, deaths, casts, quality, pseudonyms."""

from __future__ import annotations

import re

import pytest

from web.raid_world import raid_app, write_logs
from web.test_pages import HTML, Tags, page
from web.web_server import client_of
from web.web_world import toy_project


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return write_logs(tmp_path_factory.mktemp("logs"), nights=2)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with toy_project(tmp_path_factory.mktemp("toy")) as made:
        yield made


@pytest.fixture(scope="module")
def client(project, logs):
    with raid_app(project, logs) as app, client_of(app) as made:
        yield made


@pytest.fixture(scope="module")
def raid(client):
    return client.get("/api/v1/raids").json()[0]["raid_id"]


@pytest.fixture(scope="module")
def night(client, raid):
    return client.get(f"/api/v1/raids/{raid}").json()


@pytest.fixture(scope="module")
def deadly(client, night):
    """Address of the pull with most deaths, and what the API says of it."""
    pull = max(night["pulls"], key=lambda pull: pull["deaths"])
    path = f"/raids/{pull['raid_id']}/pulls/{pull['encounter_id']}-{pull['pull_no']}"
    return path, client.get(f"/api/v1{path}").json()


def test_the_list_shows_every_night_and_who_came(client):
    text = page(client, "/raids")

    assert text.count('class="night"') == 2
    assert "Attendance" in text
    assert text.count('<th scope="row">') >= 20


def test_a_night_lists_every_pull_with_outcome_and_boss_health(client, raid, night):
    text = page(client, f"/raids/{raid}")

    assert text.count('class="pull-row"') == len(night["pulls"])
    for pull in night["pulls"]:
        assert f"/raids/{raid}/pulls/{pull['encounter_id']}-{pull['pull_no']}" in text
        if pull["outcome"] == "wipe":
            assert f"{pull['boss_hp_pct']:.1f}% left" in text


def test_a_night_accounts_for_every_line(client, raid, night):
    quality = night["quality"]
    text = page(client, f"/raids/{raid}")

    assert sum(quality["totals"].values()) == quality["total"]
    assert f"{quality['total']:,}" in text
    assert "Conservation" in text


@pytest.mark.parametrize(
    ("metric", "figure"),
    [
        ("damage", lambda player: player["damage"]),
        ("healing", lambda player: player["healing"] + player["absorbs"]),
        ("taken", lambda player: player["damage_taken"]),
    ],
)
def test_a_meter_ranks_all_players(client, deadly, metric, figure):
    path, pull = deadly
    text = page(client, f"{path}?metric={metric}")
    ranked = sorted(
        pull["players"], key=lambda player: (-figure(player), player["name"] or "", player["guid"])
    )

    shown = re.findall(rf'href="{re.escape(path)}/players/([^"?]+)\?metric={metric}"', text)

    assert shown == [player["guid"] for player in ranked]


def test_bars_never_leave_their_row(client, deadly):
    path, _ = deadly
    for metric in ("damage", "healing", "taken"):
        for bar in re.findall(
            r'<svg class="bar".*?</svg>', page(client, f"{path}?metric={metric}"), re.DOTALL
        ):
            parts = [
                (float(x), float(width)) for x, width in re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', bar)
            ]
            assert all(width >= 0 for _, width in parts)
            assert all(x + width <= 100.01 for x, width in parts)


def test_deaths_come_with_blow_and_recap(client, deadly):
    path, pull = deadly
    text = page(client, path)

    assert pull["deaths"]
    assert text.count('<details class="death"') >= min(10, len(pull["deaths"]))
    blow = next(death["killing_blow"] for death in pull["deaths"] if death["killing_blow"])
    assert (blow["spell"] or "Melee") in text
    assert "killing blow" in text
    assert 'class="health-line"' in text or all(len(death["recap"]) < 2 for death in pull["deaths"])


def test_the_timeline_marks_deaths_and_phases(client, deadly):
    path, pull = deadly
    (chart,) = Tags(page(client, path)).attributes("data-chart")

    assert '"boss_hp"' not in chart
    assert chart.count("dies") == len(pull["deaths"])
    assert len(pull["timeline"]["damage"]) == len(pull["timeline"]["boss_hp"])


def test_a_player_opens_into_abilities_targets_and_casts(client, deadly):
    path, pull = deadly
    player = pull["players"][0]
    address = f"{path}/players/{player['guid']}"
    whole = page(client, address)
    part = client.get(address, headers=HTML | {"hx-request": "true"}).text
    found = client.get(f"/api/v1{address}/damage").json()

    assert "<html" in whole
    assert "<html" not in part
    assert found["abilities"][0]["ability"] in part
    assert found["others"][0]["name"] in part
    assert "Casts" in part
    assert sum(row["amount"] for row in found["abilities"]) == player["damage"]


@pytest.mark.parametrize(
    "tail", ["", "/pulls/1-1", "/pulls/x", "/pulls/1-99999999999999999999999", "/pulls/--"]
)
def test_what_is_not_there_is_a_404(client, raid, tail):
    address = "/raids/nope" if not tail else f"/raids/{raid}{tail}"

    assert client.get(address, headers=HTML).status_code == 404
    assert client.get(f"/api/v1{address}").json()["code"] == "not_found"


def test_an_unknown_player_or_metric_is_refused(client, deadly):
    path, _ = deadly

    assert client.get(f"/api/v1{path}/players/Player-9-9/damage").status_code == 404
    assert client.get(f"{path}?metric=dps", headers=HTML).status_code == 422


def test_no_raid_link_is_broken(client):
    waiting, seen = ["/raids", "/raids/panel"], set()
    while waiting and len(seen) < 120:
        path = waiting.pop()
        if path in seen or not path.startswith(("/raids", "/api/v1/raids", "/static/wow")):
            continue
        seen.add(path)
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        if "text/html" in answer.headers["content-type"]:
            found = Tags(answer.text)
            links = [*found.attributes("href"), *found.attributes("hx-get"), *found.attributes("src")]
            waiting += [link.partition("#")[0] for link in links]

    assert len(seen) > 60


def test_pseudonyms_hide_every_name_everywhere(project, logs, client, deadly):
    path, pull = deadly
    secret = {player[key] for player in pull["players"] for key in ("guid", "name") if player[key]}
    with raid_app(project, logs, pseudonyms=True) as app, client_of(app) as hidden:
        shown = hidden.get(f"/api/v1{path}").json()
        guid = shown["players"][0]["guid"]
        texts = [
            hidden.get(address, headers=HTML).text
            for address in (
                "/raids",
                path.partition("/pulls")[0],
                path,
                f"{path}/players/{guid}?metric=healing",
            )
        ]

    for text in texts:
        assert not [name for name in secret if name in text]
