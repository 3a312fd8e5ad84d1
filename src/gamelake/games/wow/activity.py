"""How long each player was at work in each pull: the sum of the short gaps between own events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

PAUSE = 5_000  # ms; a longer gap between two own events is no work
_TIME_BITS, _PLAYER_BITS = 31, 20
_EARLY = 60_000  # ms; events of a pull may be stamped a little before its start


class Activity:
    """Collects the times of players' events, and adds up the gaps when all are known.

    Lines of a log jitter by a few ms, so gaps can only be told from times in order: all are kept (8 bytes each).
    """

    def __init__(self, is_player: npt.NDArray[np.bool_]) -> None:
        self._places = np.cumsum(is_player) - 1  # place of a player's code among the players
        self._keys: list[Ints] = []
        self._found: dict[int, int] | None = None

    def note(self, pulls: Ints, players: Ints, millis: Ints) -> None:
        """Take events of players inside pulls: index of the pull, code of the player, ms since the pull began."""
        self._keys.append(self._key(pulls, players) << _TIME_BITS | (millis + _EARLY))

    def active_ms(self, pull: int, player: int) -> int:
        """Sum of the gaps under `PAUSE` of one player in one pull; 0 for who never acted."""
        if self._found is None:
            self._found = self._add_up()
        return self._found.get(int(self._key(pull, player)), 0)

    def _key(self, pull: Ints | int, player: Ints | int) -> Ints:
        key: Ints = np.asarray(pull, np.int64) << _PLAYER_BITS | self._places[player]
        return key

    def _add_up(self) -> dict[int, int]:
        if not self._keys:
            return {}
        keys = np.sort(np.concatenate(self._keys))
        self._keys = []
        gaps, who = np.diff(keys), keys[1:] >> _TIME_BITS
        counts = (gaps < PAUSE) & (keys[:-1] >> _TIME_BITS == who)
        groups, inverse = np.unique(who[counts], return_inverse=True)
        sums = np.zeros(groups.size, np.int64)
        np.add.at(sums, inverse, gaps[counts])
        return dict(zip(groups.tolist(), sums.tolist(), strict=True))
