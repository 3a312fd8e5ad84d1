"""Compiled loops over combat-log bytes. Slow, obvious twins of them live in the tests."""

from gamelake import jit

jit.prepare()
