"""Functions of texts: those that mean the same under Spark's name, and patterns as Java reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from gamelake.layouts.portable import RefusedError, shown
from gamelake.layouts.spark_casts import call, cast, fail
from gamelake.layouts.sql_types import Kind, is_text_literal, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# letters whose capital or small form is several letters, or depends on the place in the word
_NO_CAPITAL = "ßŉǰΐΰևẖ-ẚẞὐὒὔὖᾀ-ᾯᾲ-ᾷᾼῂ-ῇῌῒ-ῗῢ-ῧῲ-ῷῼﬀ-ﬆﬓ-ﬗ"
_NO_SMALL = "İΣẞ"
_REGEX_TRAPS = re.compile(r"\\[bBwWsSpPAzZQECK]|\(\?[^:]|\[\[:|\[[^\]]*(&&|\[)|[*+?}]\+")


def _text(node: exp.Expr, around: exp.Expr) -> exp.Expr:
    if kind(node) not in {Kind.TEXT, Kind.NULL}:
        raise RefusedError(shown(around), f"`{shown(node)}` is {kind(node)}, no text: cast it")
    return node


def _of_text(name: str, *keys: str) -> Callable[[Any], exp.Expr]:
    """A function of texts that means the same under Spark's name."""

    def rule(node: exp.Expr) -> exp.Expr:
        return call(name, *(_text(node.args[key], node) for key in keys))

    return rule


def _letters(name: str, special: str) -> Callable[[Any], exp.Expr]:
    def rule(node: exp.Expr) -> exp.Expr:
        text = _text(node.this, node)
        doubtful = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(f"[{special}]"))
        message = f"becomes another text by {name}() on another engine"
        return exp.Case().when(doubtful, fail(message, "STRING", text)).else_(call(name, text))

    return rule


def _position(node: exp.StrPosition) -> exp.Expr:
    return call("locate", _text(node.args["substr"], node), _text(node.this, node))


def _substring(node: exp.Substring) -> exp.Expr:
    start, length = node.args["start"], node.args.get("length")
    parts = [_guarded(start, 1, node)] + ([_guarded(length, 0, node)] if length is not None else [])
    return call("substring", _text(node.this, node), *parts)


def _guarded(node: exp.Expr, least: int, around: exp.Expr) -> exp.Expr:
    """A number that must not be smaller, known now or asked when the query runs."""
    if isinstance(node, exp.Literal | exp.Neg):
        return exp.Literal.number(whole(node, least, around))
    if kind(node) is not Kind.INT:
        raise RefusedError(shown(around), f"`{shown(node)}` is not known to be a whole number: cast it")
    small = exp.LT(this=node.copy(), expression=exp.Literal.number(least))
    stop = fail(f"is a position below {least}, where engines differ", "INT", cast(node, "STRING"))
    return exp.Case().when(small, stop).else_(cast(node, "INT"))


def whole(node: exp.Expr, least: int, around: exp.Expr) -> int:
    """The number written here; refused when it is another expression or smaller than `least`."""
    if isinstance(node, exp.Literal) and node.is_int and int(node.this) >= least:
        return int(node.this)
    raise RefusedError(shown(around), f"engines agree only on a number that is {least} or more, written here")


def _counted(name: str, key: str) -> Callable[[Any], exp.Expr]:
    def rule(node: exp.Expr) -> exp.Expr:
        return call(name, _text(node.this, node), whole(node.args[key], 0, node))

    return rule


def _pad(node: exp.Pad) -> exp.Expr:
    fill = node.args.get("fill_pattern")
    if not isinstance(fill, exp.Literal) or not fill.name:
        raise RefusedError(shown(node), "write what to fill with as a text in quotes")
    name = "lpad" if node.args.get("is_left") else "rpad"
    return call(name, _text(node.this, node), whole(node.expression, 0, node), fill)


def _split_part(node: exp.SplitPart) -> exp.Expr:
    mark = node.args["delimiter"]
    if not is_text_literal(mark) or not mark.name:
        raise RefusedError(shown(node), "write the separator as a text in quotes")
    return call("split_part", _text(node.this, node), mark, whole(node.args["part_index"], 1, node))


def _trim(node: exp.Trim) -> exp.Expr:
    """Spaces only, or the given characters."""
    position = (node.args.get("position") or "").upper()
    characters = node.args.get("expression") or exp.Literal.string(" ")
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(position, "btrim")
    text = _text(node.this, node)
    return call(name, characters, text) if name != "btrim" else call(name, text, characters)


def _sha(node: exp.SHA2) -> exp.Expr:
    return call("sha2", _text(node.this, node), 256)


def _like(node: exp.Like | exp.ILike) -> exp.Expr | None:
    """Spark's LIKE escapes by a backslash also when nobody asked for it."""
    _text(node.this, node)
    _text(node.expression, node)
    if isinstance(node.parent, exp.Escape):
        return None
    pattern = node.expression
    doubled: exp.Expr = (
        exp.Literal.string(pattern.name.replace("\\", "\\\\"))
        if is_text_literal(pattern)
        else call("replace", pattern, "\\", "\\\\")
    )
    return type(node)(this=node.this.copy(), expression=doubled)


def _regexp_like(node: exp.RegexpLike) -> exp.Expr:
    if node.args.get("flag"):
        raise RefusedError(shown(node), "write the option into the pattern's text, or compare `lower(x)`")
    return exp.RegexpLike(this=_text(node.this, node).copy(), expression=_java(node.expression, node))


def _regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    if node.args.get("parameters"):
        raise RefusedError(shown(node), "options are not portable: extract from `lower(x)`")
    group = node.args.get("group") or exp.Literal.number(0)
    return call("regexp_extract", _text(node.this, node), _java(node.expression, node), whole(group, 0, node))


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    by, flags = node.args["replacement"], node.args.get("modifiers")
    if flags is None or flags.name != "g":
        raise RefusedError(shown(node), "Spark replaces every match: say so by a fourth argument, `'g'`")
    if not is_text_literal(by):
        raise RefusedError(shown(node), "write the replacement as a text in quotes")
    made = re.sub(r"\\(\d)", r"$\1", by.name.replace("$", "\\$"))
    return call("regexp_replace", _text(node.this, node), _java(node.expression, node), made)


def _java(pattern: exp.Expr, around: exp.Expr) -> exp.Expr:
    r"""An RE2 pattern as Java reads it: lines end by \\n alone, `$` is the very end."""
    if not is_text_literal(pattern):
        raise RefusedError(shown(around), "write the pattern as a text in quotes")
    found = _REGEX_TRAPS.search(pattern.name)
    if found:
        hint = f"`{found[0]}` differs between engines: spell out the characters, as `[0-9A-Za-z_]`"
        raise RefusedError(shown(around), hint)
    made = re.sub(r"(\\.|\[(?:\\.|[^\]])*\])|\$", lambda m: m[1] or r"\z", pattern.name, flags=re.DOTALL)
    return exp.Literal.string(f"(?d){made}")


TEXT_RULES: Mapping[type[exp.Expr], Callable[[Any], exp.Expr | None]] = {
    exp.Contains: _of_text("contains", "this", "expression"),
    exp.EndsWith: _of_text("endswith", "this", "expression"),
    exp.ILike: _like,
    exp.Left: _counted("left", "expression"),
    exp.Length: _of_text("char_length", "this"),
    exp.Like: _like,
    exp.Lower: _letters("lower", _NO_SMALL),
    exp.MD5: _of_text("md5", "this"),
    exp.Pad: _pad,
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpLike: _regexp_like,
    exp.RegexpReplace: _regexp_replace,
    exp.Repeat: _counted("repeat", "times"),
    exp.Replace: _of_text("replace", "this", "expression", "replacement"),
    exp.Right: _counted("right", "expression"),
    exp.SHA2: _sha,
    exp.SplitPart: _split_part,
    exp.StartsWith: _of_text("startswith", "this", "expression"),
    exp.StrPosition: _position,
    exp.Substring: _substring,
    exp.Trim: _trim,
    exp.Upper: _letters("upper", _NO_CAPITAL),
}
