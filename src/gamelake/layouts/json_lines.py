"""Reading JSON with the line of every key: `json` gives the values, one walk over the text gives the lines."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError, Place
from gamelake.layouts.frontmatter import dotted, twice

if TYPE_CHECKING:
    from gamelake.layouts.frontmatter import KeyPath

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def read_json(text: str, file: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """A JSON object and the line of every key and list item; LayoutError when it is none, or has a key twice."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as err:
        line = getattr(err, "lineno", 1)
        problem = f"the file is not JSON: {getattr(err, 'msg', 'nested too deeply')}"
        raise LayoutError(problem, Place(file, line)) from err
    if not isinstance(data, dict) or not data:
        problem = "the file is empty, expected an object with keys such as `description` and `outputs`"
        raise LayoutError(problem, Place(file, 1))
    return data, _Lines(text, file).walk()


class _Lines:
    """Walks over text that `json` has read, so it need not check anything but repeated keys."""

    def __init__(self, text: str, file: str) -> None:
        self._tokens = _TOKEN.finditer(text)
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._file = file
        self._lines: dict[KeyPath, int] = {(): 1}

    def walk(self) -> dict[KeyPath, int]:
        self._value(next(self._tokens), ())
        return self._lines

    def _line(self, token: re.Match[str]) -> int:
        return bisect_right(self._starts, token.start())

    def _value(self, token: re.Match[str], path: KeyPath) -> None:
        if token[0] == "{":
            self._object(path)
        elif token[0] == "[":
            self._array(path)

    def _object(self, path: KeyPath) -> None:
        token = next(self._tokens)
        while token[0] != "}":
            if token[0] == ",":
                token = next(self._tokens)
            here = (*path, json.loads(token[0]))
            line = self._line(token)
            if here in self._lines:
                raise twice(str(here[-1]), self._lines[here], Place(self._file, line, dotted(here)))
            self._lines[here] = line
            next(self._tokens)  # the colon
            self._value(next(self._tokens), here)
            token = next(self._tokens)

    def _array(self, path: KeyPath) -> None:
        token = next(self._tokens)
        index = 0
        while token[0] != "]":
            if token[0] == ",":
                token = next(self._tokens)
            self._lines[*path, index] = self._line(token)
            self._value(token, (*path, index))
            index += 1
            token = next(self._tokens)
