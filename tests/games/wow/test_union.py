"""Gold is a function of what happened, not of how the logs arrived."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from gamelake.errors import InputError
from games.wow.raid_logs import (
    GOLD,
    gold_of_logs,
    lines_of,
    moment,
    places,
    raid_project,
    simulated,
    subevent,
    write,
)


@pytest.fixture(scope="module")
def log() -> bytes:
    """One evening of three pulls."""
    return simulated()


@pytest.fixture(scope="module")
def gold(log, tmp_path_factory):
    """What a project makes of the whole log."""
    folder = tmp_path_factory.mktemp("whole")
    with raid_project(folder / "project") as project:
        project.add(write(folder, "log.txt", log))
        rows = project.gold()
    assert len(rows["fact_raid_summary"]) == 3
    assert all(rows[table] for table in GOLD)
    return rows


def middle(log: bytes, pull: int) -> int:
    """Index of a line in the middle of a pull."""
    return (places(log, b"ENCOUNTER_START")[pull] + places(log, b"ENCOUNTER_END")[pull]) // 2


def first_pulls(gold, count: int):
    """Facts of the first pulls of the night."""
    starts = sorted(row[5] for row in gold["fact_raid_summary"])[:count]
    return {
        "fact_raid_summary": [row for row in gold["fact_raid_summary"] if row[5] in starts],
        "fact_player_raid_stats": [row for row in gold["fact_player_raid_stats"] if row[5] in starts],
        "fact_deaths": [row for row in gold["fact_deaths"] if row[6] in starts],
    }


def join(lines) -> bytes:
    return b"".join(lines)


class TestImports:
    def test_without_a_project_the_same_comes_out(self, tmp_path, log, gold):
        assert gold_of_logs(write(tmp_path, "log.txt", log)) == gold

    def test_importing_again_changes_nothing(self, tmp_path, log, gold):
        path = write(tmp_path, "log.txt", log)
        copy = write(tmp_path, "copy.txt", log)

        with raid_project(tmp_path / "project") as project:
            states = [one.state for _ in range(2) for one in project.add(path, copy)]

            assert states == ["imported", "unchanged", "unchanged", "unchanged"]
            assert project.gold() == gold
            assert len(project.rows("SELECT * FROM wow.bronze.combatlog")) == len(lines_of(log))

    def test_nights_may_come_in_any_order(self, tmp_path):
        nights = [simulated(seed=5, nights=3, pulls=2)]
        cuts = [0, *places(nights[0], b"COMBAT_LOG_VERSION")[1:], len(lines_of(nights[0]))]
        lines = lines_of(nights[0])
        paths = [
            write(tmp_path, f"{n}.txt", join(lines[begin:end]))
            for n, (begin, end) in enumerate(pairwise(cuts))
        ]
        with raid_project(tmp_path / "one") as project:
            project.add(*paths)
            forwards = project.gold()

        with raid_project(tmp_path / "two") as project:
            project.add(paths[-1])
            project.add(*reversed(paths[:-1]))

            assert project.gold() == forwards
        assert len(forwards["dim_raid"]) == 3
        assert gold_of_logs(write(tmp_path, "all.txt", nights[0])) == forwards

    def test_the_log_is_kept_line_by_line_as_written(self, tmp_path, log):
        with raid_project(tmp_path / "project") as project:
            project.take(write(tmp_path, "log.txt", log))

            rows = project.rows("SELECT line FROM wow.bronze.combatlog ORDER BY line_no")

        assert [row[0].encode() + b"\r\n" for row in rows] == lines_of(log)

    def test_a_bad_file_leaves_the_good_ones_imported(self, tmp_path, log, gold):
        good, bad = write(tmp_path, "good.txt", log), write(tmp_path, "bad.txt", b"prose\n")

        with raid_project(tmp_path / "project") as project:
            with pytest.raises(InputError):
                project.add(good, bad)
            project.refine()

            assert project.gold() == gold


CUTS = [
    pytest.param(lambda log: middle(log, 0), id="in the first pull"),
    pytest.param(lambda log: middle(log, 1), id="in the second pull"),
    pytest.param(lambda log: places(log, b"ENCOUNTER_START")[1] + 1, id="behind a START"),
    pytest.param(lambda log: places(log, b"ENCOUNTER_END")[1], id="before an END"),
    pytest.param(lambda log: places(log, b"ENCOUNTER_END")[0] + 15, id="between pulls"),
]


def twin_instant(log: bytes) -> int:
    """Index of the second of two identical neighbours inside a pull."""
    lines = lines_of(log)
    begins, ends = places(log, b"ENCOUNTER_START"), places(log, b"ENCOUNTER_END")
    return next(
        at
        for begin, end in zip(begins, ends, strict=True)
        for at in range(begin + 1, end)
        if lines[at] == lines[at - 1]
    )


class TestParts:
    @pytest.mark.parametrize("overlap", [1, 40, 300])
    @pytest.mark.parametrize("cut", CUTS)
    def test_overlapping_parts_are_the_whole(self, tmp_path, log, gold, cut, overlap):
        lines, at = lines_of(log), cut(log)
        first = write(tmp_path, "first.txt", join(lines[: at + overlap]))
        second = write(tmp_path, "second.txt", join(lines[max(at - overlap, 1) :]))

        assert gold_of_logs(first, second) == gold
        assert gold_of_logs(second, first) == gold

    @pytest.mark.parametrize(("cut", "order"), [(CUTS[0].values[0], (0, 1)), (CUTS[3].values[0], (1, 0))])
    def test_overlapping_parts_are_the_whole_in_a_project(self, tmp_path, log, gold, cut, order):
        lines, at = lines_of(log), cut(log)
        parts = [
            write(tmp_path, "first.txt", join(lines[: at + 30])),
            write(tmp_path, "second.txt", join(lines[at - 30 :])),
        ]

        with raid_project(tmp_path / "project") as project:
            for place in order:
                project.add(parts[place])

            assert project.gold() == gold

    def test_one_file_that_holds_the_log_twice(self, tmp_path, log, gold):
        assert gold_of_logs(write(tmp_path, "twice.txt", log * 2)) == gold

    def test_one_file_that_holds_overlapping_parts(self, tmp_path, log, gold):
        lines, at = lines_of(log), middle(log, 1)

        path = write(tmp_path, "both.txt", join(lines[at - 200 :]) + join(lines[: at + 200]))

        assert gold_of_logs(path) == gold


class TestGrowth:
    @pytest.mark.parametrize(
        "cut", [CUTS[2], pytest.param(twin_instant, id="between identical lines of one instant")]
    )
    def test_a_log_that_grew_is_read_on(self, tmp_path, log, gold, cut):
        lines, at = lines_of(log), cut(log)

        with raid_project(tmp_path / "project") as project:
            (first,) = project.add(write(tmp_path, "log.txt", join(lines[:at]) + lines[at][:20]))
            (second,) = project.add(write(tmp_path, "log.txt", log))

            assert (first.state, first.lines, first.pending) == ("imported", at, 20)
            assert (second.state, second.lines, second.log) == ("grown", len(lines) - at, first.log)
            assert project.gold() == gold

    def test_it_may_grow_many_times(self, tmp_path, log, gold):
        with raid_project(tmp_path / "project") as project:
            for share in (0.3, 0.31, 0.6, 0.9, 1):
                project.take(write(tmp_path, "log.txt", log[: int(len(log) * share)]))
            project.refine()

            assert project.gold() == gold

    def test_an_older_shorter_copy_adds_nothing(self, tmp_path, log, gold):
        with raid_project(tmp_path / "project") as project:
            project.take(write(tmp_path, "log.txt", log))
            project.add(write(tmp_path, "older.txt", log[: len(log) // 2]))

            assert project.gold() == gold

    def test_a_file_that_begins_like_it_and_goes_on_differently_is_another_log(self, tmp_path, log):
        lines = lines_of(log)
        end = places(log, b"ENCOUNTER_END")[0] + 1

        with raid_project(tmp_path / "project") as project:
            (first,) = project.add(write(tmp_path, "log.txt", join(lines[: end + 5])))
            (second,) = project.add(write(tmp_path, "log.txt", join(lines[:end] + lines[end + 20 :])))

            assert (second.state, second.log == first.log) == ("imported", False)


class TestOpenEnds:
    def test_a_log_cut_in_a_pull_shows_the_pull_so_far(self, tmp_path, log, gold):
        lines, at = lines_of(log), middle(log, 1)

        found = gold_of_logs(write(tmp_path, "log.txt", join(lines[:at])))

        assert first_pulls(found, 1) == first_pulls(gold, 1)
        last = max(found["fact_raid_summary"], key=lambda row: row[5])
        length = moment(lines[at - 1]) - moment(lines[places(log, b"ENCOUNTER_START")[1]])
        assert last[11] == length / timedelta(milliseconds=1)
        assert len(found["fact_raid_summary"]) == 2

    def test_a_log_that_begins_in_a_pull_shows_its_rest(self, tmp_path, log, gold):
        lines, at = lines_of(log), middle(log, 0)

        found = gold_of_logs(write(tmp_path, "log.txt", join(lines[at:])))

        assert len(found["fact_raid_summary"]) == 3
        whole = {row[5]: row for row in gold["fact_raid_summary"]}
        rest = min(found["fact_raid_summary"], key=lambda row: row[5])
        first = whole[min(whole)]
        assert rest[2:4] == first[2:4]  # raid and encounter
        assert abs(rest[5] - first[5]) < timedelta(seconds=1)
        assert 0 < rest[12] < first[12]  # damage
        assert rest[-1] is None  # nothing to conserve: the beginning is missing

    def test_both_ends_together_are_the_whole(self, tmp_path, log, gold):
        lines, at = lines_of(log), middle(log, 0)
        while moment(lines[at]) == moment(lines[at - 1]):
            at += 1  # a cut inside an instant cannot tell repetitions from copies
        parts = [write(tmp_path, "1.txt", join(lines[:at])), write(tmp_path, "2.txt", join(lines[at:]))]

        assert gold_of_logs(*parts) == gold
        with raid_project(tmp_path / "project") as project:
            project.add(parts[1])
            project.add(parts[0])

            assert project.gold() == gold

    def test_a_start_that_follows_a_start_ends_the_pull_before(self, tmp_path, log):
        lines = lines_of(log)
        del lines[places(log, b"ENCOUNTER_END")[0]]

        found = gold_of_logs(write(tmp_path, "log.txt", join(lines)))

        assert len(found["fact_raid_summary"]) == 3

    def test_era_prints_every_start_twice(self, tmp_path):
        log = simulated(dialect="v9")
        lines = lines_of(log)
        doubled = [
            copy
            for line in lines
            for copy in (
                [line, line.rstrip() + b",0\r\n"] if subevent(line) == b"ENCOUNTER_START" else [line]
            )
        ]

        found = gold_of_logs(write(tmp_path, "twice.txt", join(doubled)), year=2026)

        assert found == gold_of_logs(write(tmp_path, "once.txt", log), year=2026)
        assert len(found["fact_raid_summary"]) == 3
