"""Settings of one project: `gamelake.toml`, overruled by `GAMELAKE_…` variables."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from gamelake.connections import TABLE as PROFILES
from gamelake.connections import Connection, ProfileReader
from gamelake.errors import LayoutError, Place, UserError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails
    from pydantic_settings import PydanticBaseSettingsSource

    from gamelake.clock import Clock

FILE_NAME = "gamelake.toml"
STATE_FOLDER = ".gamelake"
_MEMORY = re.compile(r"\d+(\.\d+)?\s?([KMGT]i?B|%)")
_HTTP = r"^https?://[^\s/]+"
_TABLES = frozenset({"notifications", "openlineage", "spark"})
_NOT_FROM_ENVIRONMENT = frozenset({"root", "sections", "schedules", PROFILES, *_TABLES})
_DEFAULT_PROFILE = "dev"


def ledger_file(root: Path) -> Path:
    """The database of a project's ledger, known without its settings."""
    return root / STATE_FOLDER / "ledger.db"


class Schedule(BaseModel):
    """A `[[schedules]]` table: when which targets are run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    cron: str | None = None
    every: str | None = None
    targets: list[str] = Field(default_factory=list)
    zone: str | None = None
    catch_up: bool = True

    @field_validator("cron")
    @classmethod
    def _readable(cls, cron: str | None) -> str | None:
        if cron is None:
            return None
        from cronsim import CronSim, CronSimError

        try:
            if len(cron.split()) == 5:  # six fields would be seconds, which nobody looks that often
                next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
                return cron
        except (CronSimError, StopIteration):
            pass
        problem = (
            f"`{cron}` is not a time that comes; write minute, hour, day, month, weekday, such as `0 6 * * *`"
        )
        raise ValueError(problem)

    @field_validator("every")
    @classmethod
    def _an_interval(cls, every: str | None) -> str | None:
        if every is not None and (not re.fullmatch(r"[1-9]\d*[mhd]", every)):
            problem = f"`{every}` is not an interval; write a number and m, h or d, such as `15m`"
            raise ValueError(problem)
        return every

    @field_validator("zone")
    @classmethod
    def _zone(cls, zone: str | None) -> str | None:
        return None if zone is None else known_zone(zone)

    @model_validator(mode="after")
    def _one_rhythm(self) -> Schedule:
        if (self.cron is None) == (self.every is None):
            problem = f"schedule `{self.name}` has either `cron` or `every`"
            raise ValueError(problem)
        return self


class Notifications(BaseModel):
    """The `[notifications]` table: where to say how runs ended."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=_HTTP)
    events: list[Literal["run.failed", "check.failed", "run.recovered"]] = Field(
        default=["run.failed", "check.failed", "run.recovered"], min_length=1
    )
    secret_env: str = Field(default="GAMELAKE_NOTIFICATIONS_SECRET", min_length=1)
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    tries: int = Field(default=4, ge=1, le=10)


class LineageTarget(BaseModel):
    """The `[openlineage]` table: where lineage events go besides the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(default=None, pattern=_HTTP)
    namespace: str = Field(default="gamelake", min_length=1)
    token_env: str = Field(default="OPENLINEAGE_API_KEY", min_length=1)
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    tries: int = Field(default=4, ge=1, le=10)


def known_zone(zone: str) -> str:
    """The zone's name; ValueError with the nearest one when there is none."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        near = did_you_mean(zone, available_timezones())
        problem = f"unknown time zone `{zone}`"
        raise ValueError(f"{problem}; {near}" if near else problem) from error
    return zone


def _with_unit(memory: str | None) -> str | None:
    if memory is not None and not _MEMORY.fullmatch(memory):
        problem = "memory needs a number and a unit, as `4GB`, `512MiB` or `60%`"
        raise ValueError(problem)
    return memory


class SparkSettings(BaseModel):
    """The `[spark]` table: how SQL steps run on Apache Spark."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    master: str = Field(
        "local[*]",
        pattern=r"^(local(\[[0-9*]+\])?|spark://.+|sc://.+|yarn|k8s://.+)$",
        description="`local[*]`, a cluster's master, or a Spark Connect URL `sc://host:15002`.",
    )
    memory: str | None = Field(None, description="Memory of the driver's Java, as `4GB`; by default `30%`.")
    conf: dict[str, str] = Field(
        default_factory=dict, description="Further settings of Spark, by their full name."
    )

    _memory = field_validator("memory")(_with_unit)


class _Environment(EnvSettingsSource):
    """`GAMELAKE_…` variables, apart from those that only the project's place and file decide."""

    def __call__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__call__().items() if key not in _NOT_FROM_ENVIRONMENT}


class Settings(BaseSettings):
    """One project's settings; frozen. A table such as `[wow]` holds the settings of that pack."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="GAMELAKE_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    root: Path = Field(description="Project folder, the one that holds gamelake.toml.")
    name: str = Field("", description="Shown in titles; the folder's name when empty.")
    packs: list[str] = Field(default_factory=list, description="Packs this project uses.")
    zone: str = Field("UTC", description="Time zone that decides which day an event belongs to.")
    now: datetime | None = Field(
        None,
        description="Moment by which `yesterday`, schedules and freshness are judged, instead of the present one.",
    )
    engine: Literal["duckdb", "spark"] = Field(
        "duckdb", description="Engine that runs SQL steps: `duckdb` or `spark`."
    )
    spark: SparkSettings = Field(
        default_factory=SparkSettings,
        description="Table `[spark]`: `master`, `memory` and `conf` of Apache Spark.",
    )
    memory: str | None = Field(None, description="Memory budget of the engine, as `4GB` or `60%`.")
    keep_versions: int = Field(5, ge=1, description="Versions of a slice that stay readable.")
    keep_snapshots: int = Field(10, ge=1, description="Snapshots a lake table keeps.")
    lease_seconds: float = Field(30.0, gt=0, description="How long a silent process holds what it leased.")
    grace_seconds: float = Field(
        86_400.0, ge=0, description="Age an unreferred file must reach before maintenance removes it."
    )
    pseudonyms: bool = Field(
        False, description="The web app shows invented names of people, and no raw rows."
    )
    schedules: list[Schedule] = Field(
        default_factory=list, description="Runs that start by themselves, as `[[schedules]]` tables."
    )
    notifications: Notifications | None = Field(
        None, description="Where to say how runs ended, as a `[notifications]` table."
    )
    openlineage: LineageTarget = Field(
        default_factory=LineageTarget, description="Where lineage events go, as an `[openlineage]` table."
    )
    profile: str = Field(_DEFAULT_PROFILE, description="Which `[profiles.NAME]` gives the connections.")
    profiles: dict[str, dict[str, Connection]] = Field(
        default_factory=dict, description="Connections by profile and name."
    )
    sections: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Settings of packs, by pack."
    )

    _memory = field_validator("memory")(_with_unit)

    @field_validator("schedules")
    @classmethod
    def _own_names(cls, schedules: list[Schedule]) -> list[Schedule]:
        names = [schedule.name for schedule in schedules]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            problem = f"two schedules are called `{twice}`"
            raise ValueError(problem)
        return schedules

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        return known_zone(zone)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first: what an operator sets overrules what the file says."""
        return _Environment(settings_cls), init_settings

    @classmethod
    def load(cls, root: Path) -> Settings:
        """Read the project's file and the environment.

        Raises LayoutError with every mistake of the file at once; a missing file is a UserError.
        """
        file = root / FILE_NAME
        text = _read(file)
        values = _parse(file, text)
        reader = ProfileReader(file, text)
        profiles = reader.read(values.pop(PROFILES, {}))
        sections = {
            key: value for key, value in values.items() if isinstance(value, dict) and key not in _TABLES
        }
        plain = {key: value for key, value in values.items() if key not in sections}
        errors = [*reader.errors, *_misplaced(file, text, plain, sections)]
        settings = None
        try:
            settings = cls(
                root=root.resolve(),
                **{"name": root.resolve().name, **_known(plain)},
                profiles=profiles,
                sections=sections,
            )
            errors += _unknown_profile(file, text, settings)
        except ValidationError as error:
            errors += [_explain(file, text, detail) for detail in error.errors()]
        except SettingsError as error:
            hint = "lists are written as JSON there: `GAMELAKE_PACKS='[\"wow\"]'`"
            errors.append(LayoutError(f"a variable of the environment cannot be read: {error}", hint=hint))
        if errors or settings is None:
            raise LayoutError.all_of(sorted(errors, key=lambda error: (error.at and error.at.line) or 0))
        return settings

    def moment(self, clock: Clock) -> datetime:
        """The time it is for days, schedules and freshness; without an offset, one of the project's zone."""
        if self.now is None:
            return clock.now()
        return self.now if self.now.tzinfo else self.now.replace(tzinfo=ZoneInfo(self.zone))

    @property
    def state(self) -> Path:
        """Folder of everything gamelake writes for this project."""
        return self.root / STATE_FOLDER

    @property
    def ledger_file(self) -> Path:
        """The ledger's database."""
        return ledger_file(self.root)

    @property
    def lake_folder(self) -> Path:
        """Catalogue and data of the lake."""
        return self.state / "lake"

    @property
    def cache_folder(self) -> Path:
        """What may be deleted at any time."""
        return self.state / "cache"

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The chosen profile's connections, by name."""
        return self.profiles.get(self.profile, {})

    def connection(self, name: str) -> Connection:
        """The connection of that name in the chosen profile; LayoutError with the nearest name without one."""
        if name not in self.connections:
            known = ", ".join(self.connections) or "none"
            problem = f"profile `{self.profile}` has no connection `{name}`, there are: {known}"
            near = did_you_mean(name, self.connections)
            hint = near or f"add `[{PROFILES}.{self.profile}.connections.{name}]` to {FILE_NAME}"
            raise LayoutError(problem, Place(str(self.root / FILE_NAME), key=PROFILES), hint)
        return self.connections[name]

    def section(self, pack: str) -> Mapping[str, Any]:
        """The `[pack]` table; empty when the file has none."""
        return self.sections.get(pack, {})


def find_project(start: Path) -> Path:
    """Nearest folder at or above `start` that holds `gamelake.toml`."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    problem = f"no `{FILE_NAME}` in {start} or any folder above it"
    raise UserError(problem, hint="`gamelake init DIR --pack wow` makes a project")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        problem = f"no `{FILE_NAME}` in {file.parent}"
        raise UserError(problem, hint="`gamelake init DIR --pack wow` makes a project") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = "not UTF-8 text"
        raise LayoutError(problem, Place(str(file), line), hint="save the file as UTF-8") from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, _, where = str(error).partition(" (at ")
        digits = "".join(ch for ch in where.partition(",")[0] if ch.isdigit())
        line = int(digits) if digits else text.count("\n") + 1
        hint = 'text needs quotes in TOML: `zone = "Europe/Berlin"`'
        raise LayoutError(f"not valid TOML: {problem.lower()}", Place(str(file), line), hint) from error


def _file_keys() -> list[str]:
    return [key for key in Settings.model_fields if key not in {"root", "sections", PROFILES}]


def _known(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key in _file_keys()}


def _misplaced(
    file: Path, text: str, plain: Mapping[str, Any], sections: Mapping[str, Any]
) -> list[LayoutError]:
    """Keys nobody reads, and tables where a value belongs."""
    known = _file_keys()
    errors = []
    for key in plain:
        if key not in known:
            problem = f"unknown key `{key}`, expected one of: {', '.join(known)}"
            errors.append(LayoutError(problem, _place(file, text, key), did_you_mean(key, known)))
    packs = plain.get("packs", [])
    for key in sections:
        if isinstance(packs, list) and key not in {*packs, *known}:
            problem = (
                f"table `[{key}]` belongs to no pack of this project: {', '.join(map(str, packs)) or 'none'}"
            )
            hint = did_you_mean(key, map(str, packs))
            if key == "connections":
                hint = f"connections belong to a profile: `[{PROFILES}.dev.connections.NAME]`"
            errors.append(LayoutError(problem, _place(file, text, key), hint))
        if key in known:
            problem = f"`{key}` is a table, expected a value"
            errors.append(
                LayoutError(problem, _place(file, text, key), f"write `{key} = …` above the first table")
            )
    return errors


def _unknown_profile(file: Path, text: str, settings: Settings) -> list[LayoutError]:
    """A profile nobody wrote; a project without any needs none."""
    known = settings.profiles
    if settings.profile in known or (not known and settings.profile == _DEFAULT_PROFILE):
        return []
    problem = f"the project has no profile `{settings.profile}`, there are: {', '.join(known) or 'none'}"
    hint = (
        did_you_mean(settings.profile, known) or "choose with `--profile`, `GAMELAKE_PROFILE` or `profile =`"
    )
    return [LayoutError(problem, _place(file, text, "profile"), hint)]


def _explain(file: Path, text: str, detail: ErrorDetails) -> LayoutError:
    key = ".".join(str(part) for part in detail["loc"])
    first = str(detail["loc"][0]) if detail["loc"] else ""
    problem = f"{_sentence(detail['msg'])}, got `{detail['input']}`"
    variable = f"GAMELAKE_{first.upper()}"
    from_file = _line_of(text, first) is not None
    hint = None if from_file else f"the value comes from the environment variable `{variable}`"
    field = Settings.model_fields.get(first)
    if hint is None and field is not None and field.description:
        hint = f"`{first}`: {field.description}"
    return LayoutError(problem, _place(file, text, first, key), hint)


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _place(file: Path, text: str, key: str, shown: str | None = None) -> Place:
    return Place(str(file), _line_of(text, key), shown or key)


def _line_of(text: str, key: str) -> int | None:
    """Line where the top-level key or table is written; None when it is not in the file."""
    for number, line in enumerate(text.splitlines(), start=1):
        head = line.partition("=")[0].strip().strip("[]\"' ")
        if head == key or (line.lstrip().startswith("[") and head.startswith(f"{key}.")):
            return number
    return None


def describe(fields: Sequence[str] | None = None) -> list[tuple[str, str, str]]:
    """Name, default and help of each setting, the one source for docs and `doctor`."""
    chosen = fields or _file_keys()
    return [
        (
            key,
            "–" if key in _TABLES else str(Settings.model_fields[key].get_default(call_default_factory=True)),
            Settings.model_fields[key].description or "",
        )
        for key in chosen
    ]
