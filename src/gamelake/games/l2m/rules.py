"""`seeds/farmer_rules.yaml`: the numbers and addresses by which farmers are judged, as a project may edit them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError, Place, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gamelake.settings import Settings

FILE = "seeds/farmer_rules.yaml"
_SHIPPED = Path(__file__).parent / FILE
_NUMBERS = {"window_days": 3_660, "min_days": 3_660, "min_users_per_ip": 1_000_000_000}
"""Key → greatest value; the least is 1."""


@dataclass(frozen=True)
class FarmerRules:
    """What the file says."""

    window_days: int
    min_days: int
    min_users_per_ip: int
    allow_cidrs: tuple[str, ...]


def values(settings: Settings) -> dict[str, str]:
    """The numbers as values of the layouts' variables."""
    rules = read_rules(settings.root)
    return {name: str(getattr(rules, name)) for name in _NUMBERS}


def read_rules(root: Path) -> FarmerRules:
    """The project's rules, or those the pack brings where the project has no such file; LayoutError of all mistakes."""
    from gamelake.layouts.frontmatter import read_yaml

    file = root / FILE
    file = file if file.is_file() else _SHIPPED
    shown = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
    data, lines, _ = read_yaml(file.read_text(encoding="utf-8"), shown, what="the file")
    errors = [
        LayoutError(problem, Place(shown, lines.get(path, lines.get(path[:1], 1)), str(path[0])), hint)
        for problem, path, hint in _mistakes(data)
    ]
    if errors:
        raise LayoutError.all_of(errors)
    numbers = {name: data[name] for name in _NUMBERS}
    return FarmerRules(**numbers, allow_cidrs=tuple(data.get("allow_cidrs") or ()))


def _mistakes(data: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str | int, ...], str | None]]:
    known = [*_NUMBERS, "allow_cidrs"]
    for key in data:
        if key not in known:
            problem = f"unknown key `{key}`, expected one of: {', '.join(known)}"
            yield problem, (key,), did_you_mean(str(key), known)
    for name, most in _NUMBERS.items():
        value = data.get(name)
        if name not in data:
            yield f"the key `{name}` is missing", (name,), None
        elif not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            yield f"`{name}` is a whole number from 1 to {most}, got `{value}`", (name,), None
    listed = data.get("allow_cidrs") or []
    if not isinstance(listed, list):
        yield (
            f"`allow_cidrs` is a list, got `{listed}`",
            ("allow_cidrs",),
            "write each network on a line `- 192.0.2.0/24`",
        )
        return
    for position, text in enumerate(listed):
        try:
            _network(text)
        except ValueError as error:
            yield (
                f"`{text}` is not a network: {error}",
                ("allow_cidrs", position),
                "write it as `192.0.2.0/24`",
            )


def _network(text: object) -> IPv4Network | IPv6Network:
    if not isinstance(text, str):  # YAML reads some addresses as numbers
        problem = "it is not a text"
        raise ValueError(problem)  # noqa: TRY004 - told like any other bad network
    return ip_network(text)


class AllowList:
    """Networks whose addresses many honest players share."""

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._networks = [_network(cidr) for cidr in cidrs]

    def holds(self, address: str) -> bool:
        """True for an address inside one of the networks; a text that is no address is in none.

        >>> AllowList(["192.0.2.0/24", "2001:db8::/32"]).holds("2001:DB8:0::1")
        True
        """
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)
