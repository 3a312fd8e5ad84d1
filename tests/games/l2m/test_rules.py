"""The farmer rules a project may edit: numbers, networks, and every mistake in them at once."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamelake.errors import LayoutError
from gamelake.games.l2m.rules import FILE, AllowList, read_rules
from gamelake.settings import Settings

GOOD = "window_days: 30\nmin_days: 3\nmin_users_per_ip: 10\nallow_cidrs: [192.0.2.0/24, '2001:db8::/32']\n"


def write(root, text: str):
    file = root / FILE
    file.parent.mkdir()
    file.write_text(text)
    return root


def test_a_project_without_rules_uses_those_of_the_pack(tmp_path) -> None:
    rules = read_rules(tmp_path)

    assert (rules.window_days, rules.min_days, rules.min_users_per_ip) == (30, 3, 10)
    assert AllowList(rules.allow_cidrs).holds("192.0.2.77")


def test_numbers_become_values_of_the_layouts(tmp_path) -> None:
    from gamelake.games.l2m.rules import values

    root = write(tmp_path, GOOD.replace("30", "7"))

    assert values(Settings(root=root)) == {"window_days": "7", "min_days": "3", "min_users_per_ip": "10"}


def test_every_mistake_is_told_with_its_line(tmp_path) -> None:
    text = "window_day: 30\nmin_days: 0\nmin_users_per_ip: 10\nallow_cidrs:\n  - 192.0.2.1/24\n  - cafe\n"

    with pytest.raises(LayoutError) as told:
        read_rules(write(tmp_path, text))

    lines = str(told.value)
    assert "seeds/farmer_rules.yaml:1 (window_day): unknown key `window_day`" in lines
    assert "did you mean `window_days`?" in lines
    assert "(window_days): the key `window_days` is missing" in lines
    assert "seeds/farmer_rules.yaml:2 (min_days): `min_days` is a whole number from 1" in lines
    assert "seeds/farmer_rules.yaml:5 (allow_cidrs): `192.0.2.1/24` is not a network" in lines
    assert "seeds/farmer_rules.yaml:6 (allow_cidrs): `cafe` is not a network" in lines


@given(st.ip_addresses(), st.integers(0, 128))
def test_an_address_is_allowed_by_the_network_around_it(address, bits) -> None:
    length = min(bits, address.max_prefixlen)
    around = ip_network(f"{address}/{length}", strict=False)
    allowed = AllowList([str(around)])

    assert allowed.holds(str(address))
    assert allowed.holds(str(address).upper())
    if length:
        outside = type(address)(int(address) ^ (1 << (address.max_prefixlen - 1)))
        assert not allowed.holds(str(outside))


@pytest.mark.parametrize("text", ["", "unknown", "1.2.3", "192.0.2.256", "::g"])
def test_a_text_that_is_no_address_is_allowed_nowhere(text) -> None:
    assert not AllowList(["0.0.0.0/0", "::/0"]).holds(text)
