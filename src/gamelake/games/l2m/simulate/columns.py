"""Arrays of numbers → the Arrow columns of the source tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gamelake.games.l2m.simulate import catalog
from gamelake.games.l2m.simulate.kinds import NEVER
from gamelake.games.l2m.simulate.places import NO_ADDRESS, VERSION_6

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from gamelake.games.l2m.simulate.rows import Rows
    from gamelake.games.l2m.simulate.state import World

    Array = NDArray[Any]

AMOUNT = pa.decimal128(18, 4)
RATE = pa.decimal128(18, 6)
MOMENT = pa.timestamp("us", tz="UTC")
_COMMON = [
    ("log_id", pa.string()),
    ("logtime", MOMENT),
    ("actor_str3", pa.string()),
    ("actor_id", pa.string()),
    ("actor_name", pa.string()),
    ("actor_world", pa.string()),
    ("actor_level", pa.int32()),
]
_ITEM = [("entity_id", pa.string()), ("use_num1", pa.int64()), ("log_detail_code", pa.string())]
_MONEY = [
    ("entity_id", pa.string()),
    ("use_num2", pa.int64()),
    ("new_num1", pa.int64()),
    ("log_detail_code", pa.string()),
    ("actor_guild", pa.string()),
    ("actor_str2", pa.string()),
]
SCHEMAS = {
    "etl_login": pa.schema([*_COMMON, ("data_str1", pa.string())]),
    "etl_logout": pa.schema(_COMMON),
    "etl_increase_item": pa.schema(_COMMON + _ITEM),
    "etl_decrease_item": pa.schema(_COMMON + _ITEM),
    "etl_increase_money": pa.schema(_COMMON + _MONEY),
    "etl_decrease_money": pa.schema(_COMMON + _MONEY),
    "etl_recharge": pa.schema(
        [
            ("order_id", pa.string()),
            ("game_account_id", pa.string()),
            ("game_server_id", pa.string()),
            ("pg_id", pa.string()),
            ("currency", pa.string()),
            ("amount", AMOUNT),
            ("name", pa.string()),
            ("occurred", MOMENT),
        ]
    ),
}
# Money rows of both tables share one numbering, so that `log_id` orders them together.
_TABLE_DIGIT = dict(zip(SCHEMAS, (1, 2, 3, 4, 5, 5, 6), strict=True))
_FIRST_USER, _FIRST_ROLE, _STRIDE, _IDS = 100_000_000, 7_000_000_000, 611_953, 899_999_963
_ZONE = 7 * 3600 * 1_000_000


def text(values: Sequence[str | None], index: Array) -> pa.DictionaryArray:
    """One of these texts for each row; written as text."""
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(values, pa.string()))


def _numbered(numbers: Array, first: int) -> pa.Array:
    """Ids from whose order nothing about an account can be told."""
    return pc.cast(pa.array(first + numbers.astype(np.int64) * _STRIDE % _IDS), pa.string())


def user_ids(users: Array) -> pa.Array:
    """Of accounts by number."""
    return _numbered(users, _FIRST_USER)


def role_ids(roles: Array) -> pa.Array:
    """Of roles by number."""
    return _numbered(roles, _FIRST_ROLE)


def units(values: Array, kind: pa.DataType, *, known: Array | None = None) -> pa.Array:
    """Decimals from whole numbers of their last digit; null where not known."""
    words = np.empty((len(values), 2), dtype=np.int64)
    words[:, 0], words[:, 1] = values, values >> 63
    nulls = None if known is None else pa.array(known).buffers()[1]
    return pa.Array.from_buffers(kind, len(values), [nulls, pa.py_buffer(words)])


def midnight(day: date) -> int:
    """When a business day (UTC+7) begins, in microseconds of UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000 - _ZONE


def log_ids(day: int, digit: int, block: int, sequence: Array, lead: str = "") -> pa.Array:
    """Unique text of equal length, so that its order is that of the numbers."""
    head = f"{lead}{day:04d}{digit}{block:05d}".encode()
    width = len(head) + 8
    letters = np.empty((len(sequence), width), dtype=np.uint8)
    letters[:, : len(head)] = np.frombuffer(head, dtype=np.uint8)
    rest = sequence.astype(np.int64)
    for place in range(width - 1, len(head) - 1, -1):
        rest, figure = np.divmod(rest, 10)
        letters[:, place] = figure + ord("0")
    offsets = np.arange(len(sequence) + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(len(sequence), pa.py_buffer(offsets), pa.py_buffer(letters))


def ip_texts(numbers: Array) -> pa.Array:
    """Addresses as logs write them; null for none."""
    octets = pa.array([str(number) for number in range(256)])
    parts = [octets.take(pa.array((numbers >> shift & 255).astype(np.int32))) for shift in (24, 16, 8, 0)]
    old = pc.binary_join_element_wise(*parts, ".")
    six = numbers >= VERSION_6
    if six.any():
        rest = np.where(six, numbers - VERSION_6, 0)
        groups = (
            pc.cast(pa.array(rest // 10_000), pa.string()),
            pc.cast(pa.array(rest % 10_000), pa.string()),
        )
        old = pc.if_else(pa.array(six), pc.binary_join_element_wise("2001:db8", *groups, "", "1", ":"), old)
    return pc.if_else(pa.array(numbers == NO_ADDRESS), pa.scalar(None, pa.string()), old)


@dataclass(frozen=True)
class BlockTexts:
    """Ids and names of one block's accounts and roles, made once."""

    users: pa.Array
    roles: pa.Array
    names: pa.Array  # of its roles, then the second names of those that ever take one
    second: Array  # by role: where its second name stands
    first_user: int
    first_role: int

    @classmethod
    def of(cls, world: World, block: int) -> BlockTexts:
        first, last = world.block_users(block)
        seats, first_seat = world.people.seats, world.people.users.first_seat
        low, high = (int(seats.first_role[first_seat[user]]) for user in (first, last))
        roles = np.arange(low, high)
        words = pa.array(catalog.ROLE_WORDS).take(pa.array(roles % len(catalog.ROLE_WORDS)))
        names = pc.binary_join_element_wise(words, pc.cast(pa.array(roles), pa.string()), "")
        changes = world.people.roles.renamed[low:high] < NEVER
        renamed = pc.binary_join_element_wise(names.filter(pa.array(changes)), "II", " ")
        second = len(roles) + np.cumsum(changes) - 1
        both = pa.concat_arrays([names, renamed])
        return cls(user_ids(np.arange(first, last)), role_ids(roles), both, second, first, low)


def to_table(world: World, texts: BlockTexts, name: str, day: int, block: int, rows: Rows) -> pa.Table:
    """The rows of one block in the columns of a source table, still with dictionaries."""
    moments = pa.array(midnight(world.date(day)) + rows.time, pa.int64()).cast(MOMENT)
    user = world.people.seats.user[rows.seat] - texts.first_user
    users = pa.DictionaryArray.from_arrays(pa.array(user), texts.users)
    if name == "etl_recharge":
        order_ids = log_ids(day, _TABLE_DIGIT[name], block, rows.more["sequence"], "GL-")
        return pa.table(_order_columns(world, rows, order_ids, users, moments))
    ids = log_ids(day, _TABLE_DIGIT[name], block, rows.more["sequence"])
    common = {"log_id": ids, "logtime": moments, "actor_str3": users}
    return pa.table(common | _role_columns(world, texts, day, rows) | _own_columns(name, rows.more))


def _worlds(world: World, rows: Rows) -> pa.DictionaryArray:
    found = world.people.seats.world[rows.seat].astype(np.int64)
    return text((*catalog.WORLDS, None), np.where(rows.more["worldless"], len(catalog.WORLDS), found))


def _role_columns(world: World, texts: BlockTexts, day: int, rows: Rows) -> dict[str, pa.Array]:
    role, level = rows.more["role"], rows.more["level"].astype(np.int32)
    index = role - texts.first_role
    name = np.where(world.people.roles.renamed[role] <= day, texts.second[index], index)
    return {
        "actor_id": pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), texts.roles),
        "actor_name": pa.DictionaryArray.from_arrays(pa.array(name.astype(np.int32)), texts.names),
        "actor_world": _worlds(world, rows),
        "actor_level": pa.array(level, mask=level < 0),
    }


def _own_columns(name: str, more: dict[str, Array]) -> dict[str, pa.Array]:
    if "money" in more:
        return _money_columns(name, more)
    if "item" in more:
        reasons = catalog.GAIN_REASONS if "increase" in name else catalog.SPEND_REASONS
        return {
            "entity_id": text(catalog.ITEMS, more["item"]),
            "use_num1": pa.array(more["amount"]),
            "log_detail_code": text(reasons, more["reason"]),
        }
    if "address" in more:
        distinct, index = np.unique(more["address"], return_inverse=True)
        return {
            "data_str1": pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), ip_texts(distinct))
        }
    return {}


def _money_columns(name: str, more: dict[str, Array]) -> dict[str, pa.Array]:
    reasons = catalog.MONEY_GAIN_REASONS if "increase" in name else catalog.MONEY_SPEND_REASONS
    clans, index = np.unique(more["clan"], return_inverse=True)
    # Without a clan some rows say `0` and some nothing.
    ids = [None if clan < 0 else str(5001 + clan) for clan in clans.tolist()]
    names = [None if clan < 0 else clan_name(clan) for clan in clans.tolist()]
    zero = (more["clan"] < 0) & (more["sequence"] % 2 == 0)
    return {
        "entity_id": text(catalog.MONEY, more["money"]),
        "use_num2": pa.array(more["amount"]),
        "new_num1": pa.array(more["balance"]),
        "log_detail_code": text(reasons, more["reason"]),
        "actor_guild": text([*ids, "0"], np.where(zero, len(ids), index)),
        "actor_str2": text(names, index),
    }


def clan_name(clan: int) -> str:
    """Of a clan by number, in any script."""
    words = catalog.CLAN_WORDS
    return words[clan % len(words)] + (f" {clan // len(words) + 1}" if clan >= len(words) else "")


def _order_columns(
    world: World, rows: Rows, order_ids: pa.Array, users: pa.Array, moments: pa.Array
) -> dict[str, pa.Array]:
    more = rows.more
    return {
        "order_id": order_ids,
        "game_account_id": users,
        "game_server_id": _worlds(world, rows),
        "pg_id": text(catalog.PAYMENT_WAYS, more["way"]),
        "currency": text(catalog.CURRENCIES, more["currency"]),
        "amount": units(more["amount"], AMOUNT),
        "name": text(catalog.ORDER_STATES, more["state"]),
        "occurred": moments,
    }
