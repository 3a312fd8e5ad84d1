"""Pages: one Jinja environment over the core's and the packs' templates, and our static files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from gamelake import __version__
from gamelake.present import formats
from gamelake.present.sql import highlight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class NavLink:
    """One entry of the menu; `section` marks it as the current one."""

    title: str
    path: str
    section: str


@dataclass
class Pages:
    """Renders templates; lives as long as the app.

    `packs` maps a pack's name to its template folder: its `nights.html` is `<pack>/nights.html`.
    """

    project: str
    now: Callable[[], datetime]  # the project's clock: ages on pages count from it
    zone: str = "UTC"
    folders: Sequence[Path] = ()
    packs: Mapping[str, Path] = field(default_factory=dict)
    statics: Mapping[str, Path] = field(default_factory=dict)  # pack → folder served below /static/<pack>/
    nav: Sequence[NavLink] = ()
    styles: Sequence[str] = ()  # addresses of the packs' style sheets

    def __post_init__(self) -> None:
        loaders = [FileSystemLoader([TEMPLATES, *self.folders])]
        by_pack = PrefixLoader({name: FileSystemLoader(path) for name, path in self.packs.items()})
        self._environment = Environment(
            loader=ChoiceLoader([*loaders, by_pack]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "number": formats.number,
            "count": formats.count,
            "percent": formats.percent,
            "clock": formats.clock,
            "duration": formats.duration,
            "size": formats.size,
            "plural": formats.plural,
            "cell": formats.cell,
            "sql": highlight,
            "prose": prose,
            "record": record,
            "threshold": threshold,
            "ago": lambda value: formats.ago(value, self.now()),
            "moment": lambda value: formats.moment(value, self.zone),
            "time_of_day": lambda value: formats.time_of_day(value, self.zone),
            "segment": lambda value: quote(str(value), safe=""),
        }
        self._environment.globals |= {
            "project": self.project,
            "version": __version__,
            "nav": list(self.nav),
            "pack_styles": list(self.styles),
            "static": self._static,
        }

    def text(self, template: str, **context: Any) -> str:
        """The rendered template."""
        return self._environment.get_template(template).render(**context)

    def render(
        self, request: Request, template: str, *, status: int = 200, section: str = "", **context: Any
    ) -> HTMLResponse:
        """A page as a response; `section` is the menu entry it belongs to."""
        path = request.url.path
        content = self.text(template, request=request, path=path, section=section, **context)
        return HTMLResponse(content, status)

    def _static(self, path: str) -> str:
        """Address of a static file with a mark of its content, so a new version is never mixed with an old."""
        pack, _, rest = path.partition("/")
        file = self.statics[pack] / rest if pack in self.statics else STATIC / path
        return f"/static/{path}?v={_digest(file)}"


def prose(text: Any) -> Markup:
    """A message with its backticks as code.

    >>> str(prose("no `a<b` here"))
    'no <code>a&lt;b</code> here'
    """
    parts = str(text).split("`")
    whole = len(parts) % 2 == 1  # an odd backtick stays what it is
    if not whole:
        return escape(text)
    marked = [
        Markup("<code>{}</code>").format(part) if odd % 2 else escape(part) for odd, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def threshold(text: str) -> str:
    """When a check passes, in words: a bare number is how many violations are allowed.

    >>> threshold("0"), threshold("at least 10 rows")
    ('at most 0', 'at least 10 rows')
    """
    return f"at most {text}" if text.replace(".", "", 1).isdecimal() else text


def record(row: Mapping[str, Any]) -> str:
    """A row in one line.

    >>> record({"player": "eve", "score": -4})
    'player eve, score -4'
    """
    return ", ".join(f"{name} {formats.cell(value)}" for name, value in row.items())


def pages_of(request: Request) -> Pages:
    """The app's pages."""
    pages = request.app.state.pages
    assert isinstance(pages, Pages)
    return pages


class Statics(StaticFiles):
    """Static files; an address with a content mark may be kept for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        marked = b"v=" in scope.get("query_string", b"") and response.status_code == 200
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if marked else "no-cache"
        return response


@cache
def _digest(file: Path) -> str:
    return blake2b(file.read_bytes(), digest_size=6).hexdigest()
