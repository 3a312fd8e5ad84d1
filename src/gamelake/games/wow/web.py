"""Raid pages: the nights, one night, one pull with meters, deaths and casts; and the API beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from gamelake.errors import NotFoundError
from gamelake.games.wow import web_views as views
from gamelake.games.wow.report import RaidReport
from gamelake.games.wow.web_models import (
    Attendance,
    Breakdown,
    Cast,
    NightView,
    PullView,
    RaidRow,
)
from gamelake.http.context import PROBLEMS, ProjectDep
from gamelake.present.pages import pages_of

if TYPE_CHECKING:
    from collections.abc import Iterator

router = APIRouter()
SECTION = "/raids"
Metric = Literal["damage", "healing", "taken"]
TABS = (("damage", "Damage"), ("healing", "Healing"), ("taken", "Damage taken"))


def report_of(project: ProjectDep) -> Iterator[RaidReport]:
    """A report over the project's raids; the project's `pseudonyms` hides every name."""
    read = [name for name in project.graph.outputs if name.startswith(("wow.silver.", "wow.gold."))]
    with project.connect(datasets=read) as connection:
        yield RaidReport(connection, pseudonyms=project.settings.pseudonyms)


ReportDep = Annotated[RaidReport, Depends(report_of)]


# pages


@router.get("/raids", include_in_schema=False)
def raids_page(request: Request, report: ReportDep) -> Response:
    return _render(request, "wow/raids.html", raids=report.raids(), attendance=report.attendance(), here="")


@router.get("/raids/panel", include_in_schema=False)
def home_panel(request: Request, report: ReportDep) -> Response:
    return _render(request, "wow/panel.html", raids=report.raids()[:3])


@router.get("/raids/{raid_id}", include_in_schema=False)
def night_page(request: Request, report: ReportDep, raid_id: str) -> Response:
    night = report.night(raid_id)
    groups = views.by_boss(night["pulls"])
    return _render(
        request,
        "wow/night.html",
        night=night,
        groups=[(group, views.progress(group)) for group in groups],
        line=views.night_line(night["pulls"]),
        attendance=report.attendance(night["team"]),
        here=raid_id,
        trust=views.trust,
    )


@router.get("/raids/{raid_id}/pulls/{pull}", include_in_schema=False)
def pull_page(
    request: Request, report: ReportDep, raid_id: str, pull: str, metric: Metric = "damage"
) -> Response:
    shown = report.pull(raid_id, *pull_key(pull))
    order = report.night(raid_id)["pulls"]
    place = [pull_id(one) for one in order].index(pull_id(shown))
    return _render(
        request,
        "wow/pull.html",
        pull=shown,
        meter=views.meter(shown, metric),
        tabs=TABS,
        chart=views.timeline(shown),
        recaps=views.recaps(shown),
        before=order[place - 1] if place else None,
        after=order[place + 1] if place + 1 < len(order) else None,
        trust=views.trust(shown["conservation_error"]),
    )


@router.get("/raids/{raid_id}/pulls/{pull}/meter", include_in_schema=False)
def meter_part(
    request: Request, report: ReportDep, raid_id: str, pull: str, metric: Metric = "damage"
) -> Response:
    shown = report.pull(raid_id, *pull_key(pull))
    return _render(request, "wow/meter.html", pull=shown, meter=views.meter(shown, metric), tabs=TABS)


@router.get("/raids/{raid_id}/pulls/{pull}/players/{guid}", include_in_schema=False)
def player_page(
    request: Request, report: ReportDep, raid_id: str, pull: str, guid: str, metric: Metric = "damage"
) -> Response:
    encounter, number = pull_key(pull)
    shown = report.pull(raid_id, encounter, number)
    partial = request.headers.get("hx-request") == "true"
    return _render(
        request,
        "wow/player_part.html" if partial else "wow/player.html",
        pull=shown,
        player=_player(shown, guid),
        found=report.breakdown(raid_id, encounter, number, guid, metric),
        casts=views.cast_lines(report.casts(raid_id, encounter, number, guid), shown["duration_ms"]),
        metric=metric,
        tabs=TABS,
    )


# the API beside them


@router.get("/api/v1/raids", tags=["raids"], summary="All raid nights, latest first", responses=PROBLEMS)
def list_raids(report: ReportDep) -> list[RaidRow]:
    return [RaidRow.model_validate(row) for row in report.raids()]


@router.get("/api/v1/raids/attendance", tags=["raids"], summary="Who came to which night", responses=PROBLEMS)
def get_attendance(report: ReportDep, team: str | None = None) -> Attendance:
    return Attendance.model_validate(report.attendance(team))


@router.get("/api/v1/raids/{raid_id}", tags=["raids"], summary="One night with its pulls", responses=PROBLEMS)
def get_night(report: ReportDep, raid_id: str) -> NightView:
    return NightView.model_validate(report.night(raid_id))


@router.get("/api/v1/raids/{raid_id}/pulls/{pull}", tags=["raids"], summary="One pull", responses=PROBLEMS)
def get_pull(report: ReportDep, raid_id: str, pull: str) -> PullView:
    """`pull` is `<encounter id>-<pull number>`, such as `3135-2`."""
    return PullView.model_validate(report.pull(raid_id, *pull_key(pull)))


@router.get(
    "/api/v1/raids/{raid_id}/pulls/{pull}/players/{guid}/{metric}",
    tags=["raids"],
    summary="Abilities and targets behind a player's figure",
    responses=PROBLEMS,
)
def get_breakdown(report: ReportDep, raid_id: str, pull: str, guid: str, metric: Metric) -> Breakdown:
    _player(report.pull(raid_id, *pull_key(pull)), guid)
    return Breakdown.model_validate(report.breakdown(raid_id, *pull_key(pull), guid, metric))


@router.get(
    "/api/v1/raids/{raid_id}/pulls/{pull}/casts/{guid}",
    tags=["raids"],
    summary="Casts of a player in time order",
    responses=PROBLEMS,
)
def get_casts(report: ReportDep, raid_id: str, pull: str, guid: str) -> list[Cast]:
    _player(report.pull(raid_id, *pull_key(pull)), guid)
    return [Cast.model_validate(row) for row in report.casts(raid_id, *pull_key(pull), guid)]


def pull_id(pull: dict[str, Any]) -> str:
    """How a pull is named in addresses: `3135-2`."""
    return f"{pull['encounter_id']}-{pull['pull_no']}"


def pull_key(text: str) -> tuple[int, int]:
    """Encounter id and pull number of `3135-2`; NotFoundError for anything else."""
    encounter, _, number = text.partition("-")
    if not (encounter.isdecimal() and number.isdecimal() and len(text) < 24):
        raise NotFoundError(
            f"there is no pull `{text[:40]}`", hint="a pull is `<encounter id>-<pull number>`"
        )
    return int(encounter), int(number)


def _player(pull: dict[str, Any], guid: str) -> dict[str, Any]:
    for player in pull["players"]:
        if player["guid"] == guid:
            found: dict[str, Any] = player
            return found
    raise NotFoundError(f"no player `{guid[:60]}` in this pull", hint="the pull's page lists its players")


def _render(request: Request, template: str, **context: Any) -> Response:
    tools: dict[str, Any] = {
        "pull_id": pull_id,
        "class_tone": views.class_tone,
        "short_name": views.short_name,
    }
    return pages_of(request).render(request, template, section=SECTION, **tools, **context)
