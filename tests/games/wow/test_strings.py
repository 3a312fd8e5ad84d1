"""Tables that grow: distinct strings of a log, and identities of the last seconds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamelake.games.wow.kernels import shapes
from gamelake.games.wow.reader import LogFile
from gamelake.games.wow.strings import Strings
from games.wow.raid_logs import accounted, refined, write

GAIN = (
    '1/7/2026 20:00:{second:02d}.0000  SPELL_ENERGIZE,Player-1-{unit:08X},"Unit{unit}-Realm",0x512,0x0,'
    'Player-1-{unit:08X},"Unit{unit}-Realm",0x512,0x0,{spell},"Spell {spell}",0x1,'
    "Player-1-{unit:08X},0000000000000000,90,100,0,0,0,0,0,0,0,0,0,0,0.0,0.0,1,0.0,80,4.0000,0.0000,3,100\r\n"
)


class TestStrings:
    def test_codes_of_known_subevents_are_their_places(self):
        strings = Strings()

        assert [strings[code] for code in range(len(strings))] == [name for name, _ in shapes.KNOWN]

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(st.lists(st.text(max_size=30), max_size=60))
    def test_equal_strings_have_equal_codes(self, words):
        strings = Strings()

        codes = [strings.code(word) for word in words]

        assert [strings[code] for code in codes] == words
        assert len(set(codes)) == len(set(words))

    def test_thousands_of_strings_outgrow_the_first_table(self):
        strings = Strings()
        words = [f"{'long ' * (n % 40)}{n}" for n in range(30_000)]

        codes = [strings.code(word) for word in words]

        assert [strings[code] for code in codes] == words
        assert [strings.code(word) for word in words] == codes
        assert strings.slots.size > 1 << 14
        assert strings.owners.shape[0] == strings.recorders.size >= len(strings)

    def test_a_column_holds_only_the_strings_it_uses(self):
        strings = Strings()
        codes = [strings.code(word) for word in ("a", "b", "c")]

        column = strings.dictionary(np.array([codes[2], shapes.NONE, codes[0], codes[2]]))

        assert column.to_pylist() == ["c", None, "a", "c"]
        assert sorted(column.dictionary.to_pylist()) == ["a", "c"]


class TestLogsOfManyNames:
    def test_every_name_of_a_crowd_is_kept(self, tmp_path):
        crowd = range(6000)
        data = "".join(
            GAIN.format(second=unit % 60, unit=unit, spell=unit + 1)
            for unit in sorted(crowd, key=lambda unit: unit % 60)
        )

        file, (night,) = refined(write(tmp_path, "log.txt", data.encode()))

        assert (file.total, accounted([night])["event"]) == (6000, 6000)
        (rows,) = night.drawn
        assert set(rows.column("source_entity_name").to_pylist()) == {f"Unit{unit}-Realm" for unit in crowd}
        assert set(rows.column("ability_name").to_pylist()) == {f"Spell {unit + 1}" for unit in crowd}

    @pytest.mark.parametrize("size", [300_000, 2_000_000])
    def test_a_name_longer_than_the_whole_arena_is_kept(self, tmp_path, size):
        name = "x" * size
        data = GAIN.format(second=0, unit=1, spell=1) + GAIN.format(second=1, unit=2, spell=2).replace(
            "Spell 2", name
        )

        _, (night,) = refined(write(tmp_path, "log.txt", data.encode()))

        assert accounted([night])["event"] == 2
        assert night.drawn[0].column("ability_name").to_pylist() == ["Spell 1", name]


def occurrences(path) -> list[int]:
    return [int(count) for batch in LogFile(path).batches() for count in batch.occurrences]


class TestIdentity:
    def test_identical_lines_are_told_apart_by_their_number(self, tmp_path):
        lines = [b"1/7/2026 20:00:00.0000  A\n", b"1/7/2026 20:00:00.0000  B\n"]

        path = write(tmp_path, "log.txt", b"".join([*lines, *lines, lines[0]]))

        assert occurrences(path) == [1, 1, 2, 2, 3]

    def test_repetitions_are_counted_across_the_windows_of_five_seconds(self, tmp_path):
        late = b"1/7/2026 20:00:04.9990  A\n"
        between = [f"1/7/2026 20:00:0{second}.0000  B\n".encode() for second in (5, 6, 7)]

        path = write(tmp_path, "log.txt", b"".join([b"1/7/2026 20:00:00.0000  S\n", late, *between, late]))

        assert occurrences(path)[-1] == 2

    def test_more_identities_than_the_first_table_holds_are_counted(self, tmp_path):
        once = [f"1/7/2026 20:00:00.{number % 1000:03d}0  N{number}\n".encode() for number in range(9000)]
        once.sort(key=lambda line: line[:23])

        path = write(tmp_path, "log.txt", b"".join(line * 2 for line in once))

        assert occurrences(path) == [1, 2] * 9000

    def test_a_second_log_in_the_same_file_is_counted_anew(self, tmp_path):
        log = b"1/7/2026 20:00:00.0000  COMBAT_LOG_VERSION,22\n" + b"1/7/2026 20:00:00.0000  A\n" * 2

        path = write(tmp_path, "log.txt", log * 2)

        assert occurrences(path) == [1, 1, 2] * 2
