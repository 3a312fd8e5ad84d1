"""Lines to bytes: the clock of the log, and a buffer that is handed on whenever it is full."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

_FULL: Final = 4096
_DAY: Final = 86_400


class LogWriter:
    """Writes v22 lines, CRLF as the client does. Times are milliseconds since midnight of the first day."""

    def __init__(self, sink: Callable[[bytes], object], day: date, utc_offset: int) -> None:
        self._sink = sink
        self._day = day
        self._offset = str(utc_offset)
        self._second = -1
        self._prefix = ""
        self._stamp = ""
        self._lines: list[str] = []
        self.now = 0
        self.written = 0

    def at(self, ms: int) -> None:
        """Moves the clock; it never goes back."""
        self.now = ms
        second = ms // 1000
        if second != self._second:
            self._second = second
            days, rest = divmod(second, _DAY)
            day = self._day + timedelta(days=days)
            self._prefix = (
                f"{day.month}/{day.day}/{day.year} {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}."
            )
            if len(self._lines) > _FULL:
                self.flush()
        self._stamp = f"{self._prefix}{ms % 1000:03d}{self._offset}  "

    def put(self, text: str) -> None:
        """One line, without its timestamp and its end."""
        self._lines.append(self._stamp + text)

    def flush(self) -> None:
        if self._lines:
            data = ("\r\n".join(self._lines) + "\r\n").encode()
            self.written += len(data)
            self._lines.clear()
            self._sink(data)
