"""SQL with its words marked, for pages."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_WORDS = (
    "ALL|AND|ANY|AS|ASC|BETWEEN|BY|CASE|CAST|COPY|CREATE|CROSS|DESC|DISTINCT|ELSE|END|EXCEPT|EXCLUDE|EXISTS|"
    "FALSE|FILTER|FROM|FULL|GROUP|HAVING|IN|INNER|INTERSECT|INTERVAL|IS|JOIN|LATERAL|LEFT|LIKE|LIMIT|NOT|NULL|"
    "OFFSET|ON|OR|ORDER|OVER|PARTITION|QUALIFY|REPLACE|RIGHT|ROWS|SELECT|SEMI|TABLE|THEN|TO|TRUE|UNION|UNNEST|"
    "USING|VALUES|VIEW|WHEN|WHERE|WINDOW|WITH"
)
_TOKEN = re.compile(
    rf"(?P<c>--[^\n]*|/\*.*?\*/)|(?P<s>'(?:[^']|'')*')|(?P<k>\b(?:{_WORDS})\b)|(?P<n>\b\d+(?:\.\d+)?\b)",
    re.IGNORECASE | re.DOTALL,
)


def highlight(sql: str) -> Markup:
    """The statement as HTML: keywords, strings, numbers and comments in spans, everything escaped.

    >>> str(highlight("SELECT 'a<b'"))
    '<span class="k">SELECT</span> <span class="s">&#39;a&lt;b&#39;</span>'
    """
    made, end = [], 0
    for match in _TOKEN.finditer(sql):
        made += [escape(sql[end : match.start()]), _span(match)]
        end = match.end()
    return Markup("").join([*made, escape(sql[end:])])


def _span(match: re.Match[str]) -> Markup:
    return Markup('<span class="{}">{}</span>').format(match.lastgroup, match.group())
