"""Threads that keep the order of their work."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from gamelake.games.wow.ahead import in_order, one_ahead


def failing_after(count):
    yield from range(count)
    problem = "cut"
    raise ValueError(problem)


def test_one_ahead_gives_the_same_items() -> None:
    assert list(one_ahead(range(100))) == list(range(100))
    assert list(one_ahead([])) == []
    assert list(one_ahead([None, 0, False])) == [None, 0, False]


def test_one_ahead_makes_the_next_item_while_the_caller_works() -> None:
    made = threading.Semaphore(0)

    def items():
        for item in range(3):
            yield item
            made.release()

    for item in one_ahead(items()):
        assert item == 2 or made.acquire(timeout=10), "nobody asked for the next item"


def test_an_error_comes_where_its_item_would_have_come() -> None:
    items = one_ahead(failing_after(2))

    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="cut"):
        next(items)


def test_results_come_in_the_order_of_the_work() -> None:
    def late(number):
        time.sleep(0.02 if number % 2 == 0 else 0)
        return number

    assert list(in_order((partial(late, number) for number in range(20)), threads=3)) == list(range(20))


def test_few_results_wait_for_a_slow_caller() -> None:
    started = []

    results = in_order((partial(started.append, number) for number in range(50)), threads=2)
    next(results)

    assert len(started) <= 3
    results.close()


def test_what_a_piece_raises_ends_the_rest() -> None:
    def wrong():
        problem = "no"
        raise KeyError(problem)

    work = [lambda: 1, wrong, lambda: 3]
    results = in_order(work, threads=1)

    assert next(results) == 1
    with pytest.raises(KeyError):
        next(results)
