"""Reading the older JSON layouts: every key keeps its meaning, or the report says why not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gamelake.errors import LayoutError, Place, UserError
from gamelake.layouts.classic.faults import Finding, key_faults, sql_faults
from gamelake.layouts.classic.guess import guessed_schema
from gamelake.layouts.classic.reading import modern_sql
from gamelake.layouts.formatting import front_matter, tidy_sql
from gamelake.layouts.json_lines import read_json
from gamelake.layouts.spelling import read_text
from gamelake.model.names import Layer

if TYPE_CHECKING:
    from pathlib import Path

    from gamelake.layouts.frontmatter import KeyPath

OWN_KEY = "gamelake"
"""Key of an exported layout that holds what the older form has no words for."""
_LAKE_PATH = re.compile(
    r"\{lake\}/(?P<pack>[a-z]\w*)/(?P<layer>[a-z]+)/(?P<name>[a-z]\w*)"
    r"(?:/\{(?P<variable>\w+)(?:\((?P<first>-?\d+)\s*,\s*(?P<last>-?\d+)\))?\})?/?"
)
_CONDITION = re.compile(
    r"\s*\"?(\w+)\"?\s*=\s*(?:date\s*)?'?(?:\{\{\s*(\w+)\s*\}\}|\{(\w+)\})'?\s*", re.IGNORECASE
)
_KNOWN = {"description", "inputSources", "enrichments", "sqlTemplate", "sqlFile", "transformSql", "variables"}
_KNOWN |= {"outputs", "sparkConfig", OWN_KEY, "checks", "layer"}
_OUTPUT_KEYS = {"type", "connection", "table", "path", "format", "mode", "deleteCondition", "tableKey"}


@dataclass
class Imported:
    """A modern layout and what is to be said about it."""

    source: str
    pack: str
    layer: str
    name: str
    text: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where the layout belongs below a project's `layouts`."""
        return f"{self.pack}/{self.layer}/{self.name}.sql"

    def to_json(self) -> dict[str, Any]:
        """The layout's part of `layout import --json`."""
        findings = [finding.to_json() for finding in self.findings]
        return {"source": self.source, "layout": self.path, "findings": findings}


def import_layout(file: Path, shown: str, pack: str) -> Imported:
    """Read one older layout and its template; LayoutError when it is none."""
    data, lines = read_json(read_text(file, shown), shown)
    layer = _layer_of(file)
    name = re.sub(r"\W+", "_", file.stem.lower()).removeprefix(f"{pack}_")
    made = Imported(shown, pack, layer, name)
    template = _template(data, lines, file, shown)
    own = data.get(OWN_KEY)
    if isinstance(own, dict):
        made.name = str(own.get("name", name))
        made.layer = str(own.get("folder", layer))
        made.text = _written(dict(own.get("layout") or {}), template)
        made.findings.append(
            _kept(lines, OWN_KEY, "the layout was exported by gamelake and comes back whole")
        )
        return made
    _Importer(data, lines, template, made).run()
    return made


def _layer_of(file: Path) -> str:
    try:
        return Layer.parse(file.parent.name).value
    except UserError:
        return Layer.GOLD.value


def _template(data: dict[str, Any], lines: dict[KeyPath, int], file: Path, shown: str) -> str:
    if isinstance(data.get("transformSql"), str) and "sqlTemplate" not in data:
        return str(data["transformSql"])
    key = "sqlTemplate" if "sqlTemplate" in data else "sqlFile"
    if key not in data:
        return ""
    wanted = str(data[key])
    for folder in file.resolve().parents:
        if (folder / wanted).is_file():
            return read_text(folder / wanted, wanted)
    problem = f"there is no file `{wanted}` beside the layout or in any folder above it"
    raise LayoutError(problem, Place(shown, lines[key,], key), "bring the templates along")


def _written(data: dict[str, Any], sql: str) -> str:
    return f"/* ---\n{front_matter(data)}--- */\n{sql if sql.endswith(chr(10)) or not sql else sql + chr(10)}"


def _kept(lines: dict[KeyPath, int], key: str, ours: str) -> Finding:
    return Finding("kept", key, lines.get((key,), 1), key, "", ours)


class _Importer:
    """Turns one older layout into a modern one, key by key."""

    def __init__(
        self, data: dict[str, Any], lines: dict[KeyPath, int], template: str, made: Imported
    ) -> None:
        self._data = data
        self._lines = lines
        self._template = template
        self._made = made
        self._sql = modern_sql(template)
        self._slice: dict[str, str] = {}

    def run(self) -> None:
        data, sql = self._data, self._sql
        outputs = data.get("outputs") or [{}]
        if len(outputs) > 1:
            self._say(
                "open", "several_outputs", "outputs", "", "a layout has one output: the first was taken"
            )
        inputs = [self._input(source, index) for index, source in enumerate(self._sources())]
        output = self._output(outputs[0])
        schema = guessed_schema(sql.sql, sql.variables, set(self._slice))
        if schema:
            output["schema"] = schema
            self._say("guess", "schema", "outputs", "", "the types of the schema are guessed: look at them")
        else:
            self._say(
                "open", "schema", "outputs", "", "the columns cannot be told from the SQL: write `schema`"
            )
        made: dict[str, Any] = {"description": str(data.get("description") or self._made.name)}
        if inputs:
            made["inputSources"] = inputs
        if variables := self._variables():
            made["variables"] = variables
        made["outputs"] = [output]
        self._rest()
        for piece in sql.unknown:
            self._say(
                "open", "template", "sqlTemplate", "", f"`{piece}` is no plain variable: rewrite it by hand"
            )
        self._made.findings += [*key_faults(data, self._lines), *sql_faults(self._template, sql.replaced)]
        self._made.findings.sort(key=lambda finding: finding.line)
        self._made.text = _written(made, tidy_sql(sql.sql))

    def _say(self, kind: Any, code: str, key: str, old: str, ours: str) -> None:
        line = self._lines.get((key,), 1)
        self._made.findings.append(Finding(kind, code, line, key, old, ours))

    def _sources(self) -> list[dict[str, Any]]:
        return [*(self._data.get("inputSources") or []), *(self._data.get("enrichments") or [])]

    def _input(self, source: dict[str, Any], index: int) -> dict[str, Any]:
        made = {"name": str(source.get("name", f"input_{index + 1}"))}
        if source.get("type") == "jdbc":
            made |= {"type": "query" if "query" in source else "table"}
            made |= {key: source[key] for key in ("connection", "query", "table") if key in source}
        else:
            made |= self._file(str(source.get("path", "")), source)
        known = {"name", "type", "connection", "query", "table", "path", "format"}
        for key in source.keys() - known:
            self._say("dropped", key, "inputSources", "", f"`{key}` of an input has no meaning here")
        return made

    def _file(self, path: str, source: dict[str, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = {"type": "file"}
        plain |= {key: source[key] for key in ("path", "format") if key in source}
        found = _LAKE_PATH.fullmatch(path)
        if found is None:
            return plain
        try:
            layer = Layer.parse(found["layer"]).value
        except UserError:
            return plain
        made: dict[str, Any] = {"dataset": f"{found['pack']}.{layer}.{found['name']}"}
        first, last = int(found["first"] or 0), int(found["last"] or 0)
        if first < 0:
            made["lookback"] = -first
        if last > 0:
            made["lookahead"] = last
        if found["first"] is not None and not first <= 0 <= last:
            ours = (
                f"`{{{found['variable']}({first},{last})}}` leaves the day itself out: narrow it in the SQL"
            )
            self._say("open", "lookback", "inputSources", "", ours)
        return made

    def _output(self, output: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {key: output[key] for key in ("connection", "table") if key in output}
        if output.get("type") == "file" and not _LAKE_PATH.fullmatch(str(output.get("path", ""))):
            made["type"] = "file"
            made |= {key: output[key] for key in ("path", "format") if key in output}
        self._slice = self._sliced(output)
        keys = output.get("tableKey") or []
        grain = [word.strip() for word in keys.split(",")] if isinstance(keys, str) else list(keys)
        mode = str(output.get("mode", "overwrite"))
        if self._slice:
            made["slice"] = self._slice
        elif mode == "append":
            made["mode"] = "append_unique"
            if not grain:
                ours = "rows appended again and again need a `grain` to be told apart: name its columns"
                self._say("open", "grain", "outputs", "each rerun appended the rows once more", ours)
        else:
            made["mode"] = "snapshot_replace"
        if grain:
            made["grain"] = grain
        self._dropped(output)
        return made

    def _sliced(self, output: dict[str, Any]) -> dict[str, str]:
        condition = str(output.get("deleteCondition") or "")
        found = [_CONDITION.fullmatch(part) for part in re.split(r"\band\b", condition, flags=re.IGNORECASE)]
        if not condition:
            path = _LAKE_PATH.fullmatch(str(output.get("path", "")))
            if path and path["variable"]:
                ours = (
                    f"the path is cut by `{path['variable']}`: write `slice: {{column: {path['variable']}}}`"
                )
                self._say("open", "slice", "outputs", "", ours)
            return {}
        if not all(found):
            ours = f"`{condition}` is no list of `column = variable`: write `slice` by hand"
            self._say("open", "delete_condition", "outputs", "", ours)
            return {}
        slices = {part[1]: part[2] or part[3] for part in found if part}
        for column, variable in slices.items():
            kind = "date" if re.search("date|day|^ds$", f"{column} {variable}", re.IGNORECASE) else "text"
            self._sql.variables.setdefault(variable, kind)
        return slices

    def _dropped(self, output: dict[str, Any]) -> None:
        reasons = {
            "numPartitions": "how a write is split follows from its size",
            "add_updated_at": "the receipt of each slice says when it was published; a column of it would make "
            "equal rows differ",
        }
        for key in output.keys() - _OUTPUT_KEYS:
            ours = reasons.get(key, f"`{key}` of an output has no meaning here")
            self._say("dropped", key, "outputs", "", ours)

    def _variables(self) -> dict[str, Any]:
        bound = set(self._slice.values())
        given = self._data.get("variables")
        defaults = given if isinstance(given, dict) else {}
        made: dict[str, Any] = {}
        for name, kind in {**dict.fromkeys(defaults, "text"), **self._sql.variables}.items():
            default = defaults.get(name)
            if default is None and name == "logDate":
                default = "yesterday"
            if name not in bound:
                made[name] = {"type": kind}
                if default is not None:
                    made[name]["default"] = default
        return made

    def _rest(self) -> None:
        if "sparkConfig" in self._data:
            ours = "memory and executors belong to the engine: set them in gamelake.toml, once"
            self._say("dropped", "sparkConfig", "sparkConfig", "", ours)
        for key in self._data.keys() - _KNOWN:
            self._say(
                "dropped", key, key, "", f"the older engine never read `{key}`, and it is no key of ours"
            )
