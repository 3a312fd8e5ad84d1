"""Event rows of a night → Arrow tables of the silver datasets."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gamelake.engines.arrow import arrow_type
from gamelake.games.wow import datasets
from gamelake.games.wow.activity import Activity
from gamelake.games.wow.ahead import in_order
from gamelake.games.wow.bosses import BossWatch, Phase, phases_of
from gamelake.games.wow.kernels import shapes
from gamelake.games.wow.kernels.identity import event_ids
from gamelake.games.wow.pulls import Combatant, describe_spec
from gamelake.games.wow.specs import power_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from gamelake.games.wow.bosses import Boss
    from gamelake.games.wow.night import Night
    from gamelake.games.wow.parsed import EventRows
    from gamelake.games.wow.pulls import Pull
    from gamelake.model.schema import Schema
    from gamelake.model.steps import Output

    Ints = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "gamelake:wow:combatlog")
_NAMESPACE_WORDS = np.frombuffer(NAMESPACE.bytes, ">u4").astype(np.uint32)

_KINDS = {
    "SPELL_DAMAGE": ("combat_damage", "spell"),
    "SPELL_PERIODIC_DAMAGE": ("combat_damage", "periodic"),
    "RANGE_DAMAGE": ("combat_damage", "range"),
    "DAMAGE_SPLIT": ("combat_damage", "split"),
    "SWING_DAMAGE": ("combat_damage", "melee"),
    "ENVIRONMENTAL_DAMAGE": ("combat_damage", "environmental"),
    "SPELL_HEAL": ("heal", "spell"),
    "SPELL_PERIODIC_HEAL": ("heal", "periodic"),
    "SPELL_ABSORBED": ("heal", "absorb"),
    "SPELL_CAST_SUCCESS": ("spell_cast", "cast"),
    "SPELL_ENERGIZE": ("mana_regeneration", "spell"),
    "SPELL_PERIODIC_ENERGIZE": ("mana_regeneration", "periodic"),
    "UNIT_DIED": ("player_death", "death"),
}
_TYPES = [_KINDS.get(name, ("", "")) for name, _ in shapes.KNOWN]
_CODE = {name: code for code, (name, _) in enumerate(shapes.KNOWN)}
_THREADS = 2
DAMAGE_DONE = ("spell", "periodic", "range", "melee")  # kinds that count as damage done and taken


def table_of(schema: Schema, columns: dict[str, Any], rows: int) -> pa.Table:
    """Table in the schema's order; a column that is not given is null, a scalar is repeated, text is a dictionary."""
    arrays = []
    for column in schema.columns:
        kind = arrow_type(column.type)
        value = columns.get(column.name)
        if value is None:
            array = pa.nulls(rows, kind)
        elif isinstance(value, list):
            array = pa.array(value, kind)
        elif isinstance(value, pa.Array):
            array = value
        else:
            array = pa.repeat(pa.scalar(value, kind), rows)
        text = pa.types.is_string(array.type)
        arrays.append(array.dictionary_encode() if text else array)
    return pa.table(arrays, names=list(schema.names))


class NightTables:
    """The silver tables of one night, events as a stream."""

    def __init__(self, night: Night, *, day: date, team: str) -> None:
        self.night = night
        self.slice = {"raid_date": day, "team": team}
        self._team = team
        self._watch = BossWatch(night)
        self._bosses: list[Boss] | None = None
        self._events = 0
        self._unlisted = np.array([not pull.roster for pull in night.pulls] + [False])
        self._actors: dict[int, set[str]] = {}
        self._activity = Activity(night.is_player)
        pulls = night.pulls
        # one more, empty place: rows outside all pulls carry index −1
        self._starts = np.array([pull.start for pull in pulls] + [0], np.int64)
        self._encounters = np.array([pull.encounter_id for pull in pulls] + [0], np.int64)
        self._numbers = np.array([pull.number for pull in pulls] + [0], np.int32)
        self._raids = sorted({pull.raid_id(team) for pull in pulls})
        self._raid_codes = np.array([self._raids.index(pull.raid_id(team)) for pull in pulls] + [0], np.int32)

    def events(self) -> Iterator[pa.Table]:
        """Event tables batch by batch, the phase events last. Must be exhausted before the other tables are asked."""
        yield from in_order(self._tables_to_make(), threads=_THREADS)
        self._bosses = [self._watch.boss(index) for index in range(len(self.night.pulls))]
        phases = self._phase_events()
        if phases.num_rows:
            yield phases

    def _tables_to_make(self) -> Iterator[Callable[[], pa.Table]]:
        for batch in self.night.event_rows():
            self._watch.feed(batch)
            self._note_actors(batch)
            events = batch.chosen(batch.rows[shapes.C_SUBEVENT] != shapes.LANDED)
            if events.rows.size:
                yield partial(self._table, events, self._number(events.times.size))

    def _note_actors(self, batch: EventRows) -> None:
        """Who acts in pulls whose roster the log does not hold: they stand in for it."""
        source = batch.rows[shapes.C_SOURCE]
        chosen = self._unlisted[batch.pulls] & self.night.is_player[source]
        for pull, code in zip(batch.pulls[chosen].tolist(), source[chosen].tolist(), strict=True):
            self._actors.setdefault(pull, set()).add(self.night.strings[code])

    def bosses(self) -> list[Boss]:
        """Boss of each pull, in the order of `night.pulls`."""
        if self._bosses is None:
            for _ in self.events():
                pass
        return self._bosses or []

    def _table(self, batch: EventRows, numbers: pa.Array) -> pa.Table:
        rows, night = batch.rows, self.night
        count = rows.shape[1]
        sub = rows[shapes.C_SUBEVENT]
        inside = batch.pulls >= 0
        source, target, info = rows[shapes.C_SOURCE], rows[shapes.C_TARGET], rows[shapes.C_INFO]
        player = np.where(night.is_player[source], source, np.append(night.owners, shapes.NONE)[source])
        player[source < 0] = shapes.NONE
        millis = batch.times - self._starts[batch.pulls]
        own = np.flatnonzero(inside & (player >= 0))
        self._activity.note(batch.pulls[own], player[own], millis[own])
        names = np.append(night.strings.owners[: len(night.strings), 2], shapes.NONE)
        damage = sub <= _CODE["ENVIRONMENTAL_DAMAGE"]
        healing = (sub == _CODE["SPELL_HEAL"]) | (sub == _CODE["SPELL_PERIODIC_HEAL"])
        absorb = sub == _CODE["SPELL_ABSORBED"]
        gain = (sub == _CODE["SPELL_ENERGIZE"]) | (sub == _CODE["SPELL_PERIODIC_ENERGIZE"])
        ability = (rows[shapes.C_ABILITY] > 0) | (rows[shapes.C_ABILITY_NAME] >= 0)
        amount, overheal = rows[shapes.C_AMOUNT], rows[shapes.C_OVERHEAL]
        on_target, on_source = (info >= 0) & (info == target), (info >= 0) & (info == source)
        ids = np.empty((count, 16), np.uint8)
        event_ids(_NAMESPACE_WORDS, batch.low, batch.high, batch.occurrences, ids)
        text = night.strings.dictionary
        target_player = night.is_player[target] & (target >= 0)
        columns: dict[str, Any] = {
            **self.slice,
            "event_id": _uuids(ids),
            "event_type": _labels(sub, [kind for kind, _ in _TYPES]),
            "kind": _labels(sub, [kind for _, kind in _TYPES]),
            "event_no": numbers,
            "timestamp": _times(batch.times),
            "event_date": _days(batch.times),
            "raid_id": _coded(self._raid_codes[batch.pulls], self._raids, inside),
            "encounter_id": _ints(self._encounters[batch.pulls], inside),
            "pull_no": pa.array(self._numbers[batch.pulls], mask=~inside),
            "pull_started_at": _times(self._starts[batch.pulls], inside),
            "encounter_ms": _ints(millis, inside),
            "source_player_id": text(player),
            "source_player_name": text(np.where(player >= 0, names[player], shapes.NONE)),
            "source_entity_id": text(source),
            "source_entity_name": text(rows[shapes.C_SOURCE_NAME]),
            "source_flags": _ints(rows[shapes.C_SOURCE_FLAGS]),
            "target_entity_id": text(target),
            "target_entity_name": text(rows[shapes.C_TARGET_NAME]),
            "target_flags": _ints(rows[shapes.C_TARGET_FLAGS]),
            "target_is_player": pa.array(target_player),
            "ability_id": _ints(rows[shapes.C_ABILITY], ability),
            "ability_name": text(rows[shapes.C_ABILITY_NAME]),
            "ability_school": _ints(rows[shapes.C_SCHOOL], ability | damage),
            "damage_amount": _ints(amount, damage),
            "healing_amount": _ints(amount, healing | absorb),
            "effective": _ints(amount - overheal, healing | absorb),
            "overheal": _ints(overheal, healing),
            "overkill": _ints(rows[shapes.C_OVERKILL], damage & (rows[shapes.C_OVERKILL] >= 0)),
            "absorbed": _ints(rows[shapes.C_ABSORBED], damage | healing),
            "blocked": _ints(rows[shapes.C_BLOCKED], damage),
            "resisted": _ints(rows[shapes.C_RESISTED], damage),
            "is_critical_hit": pa.array(rows[shapes.C_CRITICAL] == 1, mask=~(damage | healing | absorb)),
            "source_hp": _ints(rows[shapes.C_HP], on_source),
            "source_max_hp": _ints(rows[shapes.C_MAX_HP], on_source),
            "target_hp": _ints(rows[shapes.C_HP], on_target),
            "target_max_hp": _ints(rows[shapes.C_MAX_HP], on_target),
            "resource_type": _powers(rows[shapes.C_POWER_TYPE], gain),
            "resource_amount": pa.array(batch.amounts[:, 0], mask=~gain),
            "resource_over": pa.array(batch.amounts[:, 1], mask=~gain),
        }
        return table_of(datasets.EVENTS.schema, columns, count)

    def _number(self, count: int) -> pa.Array:
        """The next `count` event numbers."""
        self._events += count
        return pa.array(np.arange(self._events - count + 1, self._events + 1))

    def _phase_events(self) -> pa.Table:
        found = [(index, phase) for index, phase in self._all_phases() if self.night.pulls[index].counted]
        pulls = [self.night.pulls[index] for index, _ in found]
        at = np.array(
            [pull.start + phase.start for pull, (_, phase) in zip(pulls, found, strict=True)], np.int64
        )
        texts = [
            f"{self._key(pull)}/phase/{phase.number}" for pull, (_, phase) in zip(pulls, found, strict=True)
        ]
        ids = [uuid.uuid5(NAMESPACE, text).bytes for text in texts]
        columns = {
            **self.slice,
            "event_id": pa.ExtensionArray.from_storage(pa.uuid(), pa.array(ids, pa.binary(16))),
            "event_type": "boss_phase",
            "kind": "derived",
            "event_no": self._number(len(found)),
            "timestamp": _times(at),
            "event_date": _days(at),
            "raid_id": [pull.raid_id(self._team) for pull in pulls],
            "encounter_id": [pull.encounter_id for pull in pulls],
            "pull_no": [pull.number for pull in pulls],
            "pull_started_at": _times(np.array([pull.start for pull in pulls], np.int64)),
            "encounter_ms": [phase.start for _, phase in found],
            "phase": [phase.number for _, phase in found],
            "target_is_player": False,
            "source_entity_name": [self.bosses()[index].name for index, _ in found],
        }
        return table_of(datasets.EVENTS.schema, columns, len(found))

    def _key(self, pull: Pull) -> str:
        return f"{pull.raid_id(self._team)}/{pull.encounter_id}/{pull.start}"

    def _all_phases(self) -> Iterator[tuple[int, Phase]]:
        for index, pull in enumerate(self.night.pulls):
            for phase in phases_of(pull, self.bosses()[index]):
                yield index, phase

    def _pull_columns(self, pulls: list[Pull]) -> dict[str, Any]:
        return {
            **self.slice,
            "raid_id": [pull.raid_id(self._team) for pull in pulls],
            "encounter_id": [pull.encounter_id for pull in pulls],
            "pull_no": [pull.number for pull in pulls],
            "pull_started_at": _times(np.array([pull.start for pull in pulls], np.int64)),
        }

    def pulls(self) -> pa.Table:
        """One row per pull of each recorder."""
        pulls, bosses = self.night.pulls, self.bosses()
        columns = {
            **self._pull_columns(pulls),
            "ended_at": _times(np.array([pull.end for pull in pulls], np.int64)),
            "duration_ms": [pull.duration_ms for pull in pulls],
            "boss_name": [pull.name for pull in pulls],
            "difficulty_id": [pull.difficulty_id for pull in pulls],
            "group_size": [pull.group_size for pull in pulls],
            "instance_id": [pull.instance_id for pull in pulls],
            "success": [pull.success for pull in pulls],
            "ended": [pull.ended for pull in pulls],
            "recorder": [pull.recorder for pull in pulls],
            "counted": [pull.counted for pull in pulls],
            "lines": [pull.lines for pull in pulls],
            "boss_id": [boss.unit_id for boss in bosses],
            "boss_unit_name": [boss.name for boss in bosses],
            "boss_named": [boss.named for boss in bosses],
            "boss_max_hp": [boss.unit.max_hp if boss.unit_id else None for boss in bosses],
            "boss_last_hp": [boss.unit.last_hp if boss.unit_id else None for boss in bosses],
            "boss_hp_pct": [boss.hp_pct for boss in bosses],
            "boss_damage": [boss.unit.taken if boss.unit_id else None for boss in bosses],
            "conservation_error": [boss.conservation_error for boss in bosses],
        }
        return table_of(datasets.PULLS.schema, columns, len(pulls))

    def combatants(self) -> pa.Table:
        """One row per player of each counted pull's roster."""
        strings = self.night.strings
        found = [
            (index, pull, combatant)
            for index, pull in enumerate(self.night.pulls)
            if pull.counted
            for combatant in self._roster(index, pull)
        ]
        codes = [strings.code(combatant.player_id) for _, _, combatant in found]
        names = [int(strings.owners[code, 2]) for code in codes]
        specs = [describe_spec(combatant.spec_id) for _, _, combatant in found]
        known = self.night.is_player.size - 1  # a code given later belongs to somebody no event names
        columns = {
            **self._pull_columns([pull for _, pull, _ in found]),
            "player_id": [combatant.player_id for _, _, combatant in found],
            "player_name": [strings[name] if name >= 0 else None for name in names],
            "class": [spec[0] for spec in specs],
            "role": [spec[1] for spec in specs],
            "spec": [spec[2] for spec in specs],
            "spec_id": [combatant.spec_id for _, _, combatant in found],
            "listed": [bool(pull.roster) for _, pull, _ in found],
            "active_ms": [
                self._activity.active_ms(index, code) if code < known else 0
                for (index, _, _), code in zip(found, codes, strict=True)
            ],
        }
        return table_of(datasets.COMBATANTS.schema, columns, len(found))

    def _roster(self, index: int, pull: Pull) -> list[Combatant]:
        """Listed players, or those who act where the log begins after the list."""
        if pull.roster:
            return [combatant for _, combatant in sorted(pull.roster.items())]
        return [Combatant(guid, 0, 0) for guid in sorted(self._actors.get(index, ()))]

    def phases(self) -> pa.Table:
        """One row per phase of each counted pull."""
        found = [(self.night.pulls[index], phase) for index, phase in self._all_phases()]
        found = [(pull, phase) for pull, phase in found if pull.counted]
        columns = {
            **self._pull_columns([pull for pull, _ in found]),
            "phase": [phase.number for _, phase in found],
            "started_ms": [phase.start for _, phase in found],
            "ended_ms": [phase.end for _, phase in found],
            "rule": [phase.rule for _, phase in found],
            "derived": True,
        }
        return table_of(datasets.PHASES.schema, columns, len(found))

    def accounting(self) -> pa.Table:
        """What became of every line."""
        labels = {shapes.EVENT: "event", shapes.CONTEXT: "context", shapes.IGNORED: "ignored"}
        found = [
            (part.log, part.part, labels.get(category, "quarantined"), name, lines)
            for part, account in zip(self.night.parts, self.night.accounting, strict=True)
            for (category, name), lines in sorted(account.names.items())
        ]
        names = ("log", "part", "category", "name", "lines")
        columns = {name: [row[at] for row in found] for at, name in enumerate(names)}
        return table_of(datasets.ACCOUNTING.schema, {**self.slice, **columns}, len(found))

    def log_parts(self) -> pa.Table:
        """What is known of each log of the night."""
        every = enumerate(zip(self.night.parts, self.night.accounting, strict=True))
        known = [(index, part, account) for index, (part, account) in every if account.lines]
        parts = [(part, account) for _, part, account in known]
        columns = {
            **self.slice,
            "log": [part.log for part, _ in parts],
            "part": [part.part for part, _ in parts],
            "dialect": [account.dialect for _, account in parts],
            "versions": [", ".join(map(str, sorted(account.versions))) for _, account in parts],
            "recorder": [self.night.recorder_of(index) for index, _, _ in known],
            "lines": [account.lines for _, account in parts],
        }
        return table_of(datasets.LOG_PARTS.schema, columns, len(parts))

    def quarantined_lines(self) -> pa.Table:
        """Every line that could not be read."""
        found = [
            (part.log, part.part, line, reason)
            for part, account in zip(self.night.parts, self.night.accounting, strict=True)
            for line, reason in account.quarantined
        ]
        names = ("log", "part", "line_no", "reason")
        columns = {name: [row[at] for row in found] for at, name in enumerate(names)}
        return table_of(datasets.QUARANTINE.schema, {**self.slice, **columns}, len(found))

    def small_tables(self) -> Iterator[tuple[Output, pa.Table]]:
        """Every silver dataset but the events, once those are exhausted."""
        yield datasets.PULLS, self.pulls()
        yield datasets.COMBATANTS, self.combatants()
        yield datasets.PHASES, self.phases()
        yield datasets.ACCOUNTING, self.accounting()
        yield datasets.LOG_PARTS, self.log_parts()
        yield datasets.QUARANTINE, self.quarantined_lines()


def _ints(values: Ints, valid: Mask | None = None) -> pa.Array:
    return pa.array(np.ascontiguousarray(values), pa.int64(), mask=None if valid is None else ~valid)


def _times(millis: Ints, valid: Mask | None = None) -> pa.Array:
    return pa.array(millis * 1000, pa.timestamp("us", "UTC"), mask=None if valid is None else ~valid)


def _days(millis: Ints) -> pa.Array:
    return pa.array((millis // 86_400_000).astype(np.int32), pa.date32())


def _uuids(ids: npt.NDArray[np.uint8]) -> pa.Array:
    storage = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), ids.shape[0], [None, pa.py_buffer(ids)])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def _coded(codes: npt.NDArray[np.int32], words: list[str], valid: Mask) -> pa.Array:
    if not words:
        return pa.nulls(codes.size, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=~valid), pa.array(words, pa.string()))


def _labels(codes: Ints, words: list[str]) -> pa.Array:
    """Dictionary column of the words behind the codes, each word once."""
    distinct = sorted({words[code] for code in np.unique(codes)})
    places = np.array([distinct.index(word) if word in distinct else 0 for word in words], np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(places[codes]), pa.array(distinct, pa.string()))


def _powers(types: Ints, valid: Mask) -> pa.Array:
    distinct = np.unique(types[valid])
    words = [power_label(int(kind)) for kind in distinct]
    places = np.searchsorted(distinct, types).clip(0, max(len(words) - 1, 0)).astype(np.int32)
    return _coded(places, words, valid)


def day_of(number: int) -> date:
    """Date of a count of days since 1970."""
    return date(1970, 1, 1) + timedelta(days=number)
