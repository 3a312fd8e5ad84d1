"""Work in threads that keeps its order: most of it runs outside the interpreter's lock."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items, the next one being made while the caller works on the present one.

    What making an item raises is raised where that item would have come.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        waiting = pool.submit(_next, source)
        while item := waiting.result():
            waiting = pool.submit(_next, source)
            yield item[0]


def _next(source: Iterator[T]) -> tuple[T] | None:
    for item in source:
        return (item,)
    return None


def in_order(work: Iterable[Callable[[], T]], *, threads: int) -> Iterator[T]:
    """Results of pieces of work in their order, so many done at a time and at most one more waiting.

    `work` is iterated in the caller's thread. What a piece raises is raised in its place.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="in-order") as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for piece in work:
                waiting.append(pool.submit(piece))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for piece in waiting:
                piece.cancel()
