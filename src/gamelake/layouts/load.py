"""From a folder of SQL files to steps; every mistake of every file at once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gamelake.errors import LayoutError, Place, UserError, did_you_mean
from gamelake.layouts.document import LayoutDocument, OutputDocument, known_keys
from gamelake.layouts.fingerprint import fingerprint, normalised
from gamelake.layouts.frontmatter import FrontMatter, dotted, split
from gamelake.layouts.template import render_sample, undefined_variables
from gamelake.model.names import DatasetName, Layer
from gamelake.model.schema import ColumnType, Schema
from gamelake.model.steps import Mode, Output, SqlStep, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

    from gamelake.layouts.frontmatter import KeyPath

_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_SLICE_TYPES = {
    ColumnType.DATE: "date",
    ColumnType.INT: "int",
    ColumnType.BIGINT: "int",
    ColumnType.TEXT: "text",
}
_ANALYSIS = "2"  # part of every cache key: raise it when a lint changes


def load_folder(folder: Path, pack: str, *, cache: Path | None = None) -> list[SqlStep]:
    """Steps of `<folder>/<layer>/<name>.sql`, by name; raises one LayoutError holding every mistake.

    `cache` is a folder for the outcome of the slow part (parsing SQL), keyed by the file's bytes.
    """
    steps: list[SqlStep] = []
    errors: list[LayoutError] = []
    for file in sorted(folder.rglob("*.sql")):
        try:
            steps.append(load_file(file, pack, cache=cache))
        except LayoutError as err:
            errors.append(err)
    errors += _twice(steps)
    if errors:
        raise LayoutError.all_of(errors)
    return sorted(steps, key=lambda step: step.name)


def load_file(file: Path, pack: str, *, cache: Path | None = None) -> SqlStep:
    """The step of one file; raises one LayoutError holding every mistake of the file."""
    name = _dataset_of(file, pack)
    shown = _shown(file)
    raw = file.read_bytes()
    try:
        text = raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as err:
        problem = "the file is not UTF-8 text"
        raise LayoutError(problem, Place(shown, raw.count(b"\n", 0, err.start) + 1)) from err
    front = split(text, shown)
    document = _validate(front, shown)
    errors = list(_cross_checks(document, front, shown))
    if errors:
        raise LayoutError.all_of(errors)
    step = _step(document, front, name, shown)
    return _analysed(step, front, _cache_file(cache, raw, str(name)))


def _dataset_of(file: Path, pack: str) -> DatasetName:
    try:
        layer = Layer.parse(file.parent.name)
    except UserError as err:
        problem = f"a layout lies in the folder of its layer; {err.problem}"
        raise LayoutError(problem, Place(_shown(file)), err.hint) from err
    if not _FILE_NAME.match(file.stem):
        problem = f"`{file.stem}` is not a dataset name, expected lower-case letters, digits and `_`"
        raise LayoutError(problem, Place(_shown(file)), "rename the file")
    return DatasetName(pack, layer, file.stem)


def _shown(file: Path) -> str:
    """Path as messages show it: below the working folder when the file is there."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def _twice(steps: list[SqlStep]) -> Iterator[LayoutError]:
    seen: dict[str, SqlStep] = {}
    for step in steps:
        other = seen.setdefault(step.name, step)
        if other is not step:
            problem = f"`{step.name}` is written by this file and by {other.file}"
            yield LayoutError(problem, Place(step.file), "give one of them another name")


def _validate(front: FrontMatter, file: str) -> LayoutDocument:
    try:
        return LayoutDocument.model_validate(front.data)
    except ValidationError as err:
        found = [_explain(detail, front, file) for detail in err.errors()]
        raise LayoutError.all_of(sorted(found, key=lambda e: (e.at.line if e.at else 0) or 0)) from err


def _explain(detail: ErrorDetails, front: FrontMatter, file: str) -> LayoutError:
    path, missing = _path_in_file(detail, front)
    place = Place(file, front.line_of(path), dotted(path))
    key = str(detail["loc"][-1])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = known_keys(path[:-1])
        return LayoutError(
            f"unknown key `{key}`, expected one of: {', '.join(known)}", place, did_you_mean(key, known)
        )
    if kind == "missing":
        return LayoutError(f"the key `{missing}` is missing", place)
    if kind in {"enum", "literal_error", "union_tag_invalid"}:
        expected = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags")))
        value = str(context.get("tag") or _plain(detail["input"]))
        problem = f"`{value}` is unknown, expected one of: {', '.join(expected)}"
        return LayoutError(problem, place, did_you_mean(value, expected))
    if kind == "union_tag_not_found":
        return LayoutError("the key `kind` is missing, it says which check this is", place)
    if kind == "string_pattern_mismatch":
        form = "`schema.table`" if key == "table" else "lower-case letters, digits and `_`"
        problem = f"`{detail['input']}` is not a name, expected {form}"
        return LayoutError(problem, place)
    if kind in {"too_short", "too_long"}:
        limit = context.get("min_length") or context.get("max_length")
        word = "at least" if kind == "too_short" else "at most"
        return LayoutError(f"{context.get('actual_length')} given, expected {word} {limit}", place)
    message = detail["msg"].removeprefix("Value error, ")
    seen = f"`{_plain(detail['input'])}`"
    problem = f"{message[0].lower()}{message[1:]}" if seen in message else f"{message.lower()}, seen {seen}"
    return LayoutError(problem, place)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _path_in_file(detail: ErrorDetails, front: FrontMatter) -> tuple[KeyPath, str]:
    """Pydantic's location without the parts that are no keys of the file (union tags, `[key]`)."""
    path: KeyPath = ()
    rest = ""
    for part in detail["loc"]:
        if (*path, part) in front.lines:
            path = (*path, part)
        elif part != "[key]":
            rest = str(part)
    return path, rest


def _cross_checks(document: LayoutDocument, front: FrontMatter, file: str) -> Iterator[LayoutError]:
    """Keys that are right alone and wrong together."""
    output = document.outputs[0]

    def wrong(problem: str, *path: str | int, hint: str | None = None) -> LayoutError:
        return LayoutError(problem, Place(file, front.line_of(path), dotted(path)), hint)

    names = [source.name for source in document.inputs]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield wrong(f"two inputs are called `{name}`", "inputSources", index, "name")
    for index, source in enumerate(document.inputs):
        for key, problem in source.misfits:
            yield wrong(f"`{key}`: {problem}", "inputSources", index, key)
    for key, columns in (("grain", output.grain), ("slice", list(output.slice))):
        for name in columns:
            if name not in output.columns:
                problem = f"`{name}` is not a column of the schema"
                yield wrong(problem, "outputs", 0, key, hint=did_you_mean(name, output.columns))
    for name in output.slice:
        column = output.columns.get(name)
        if column is not None and column.type not in _SLICE_TYPES:
            problem = f"`{name}` is `{column.type.value}`; a slice column is one of: date, int, bigint, text"
            yield wrong(problem, "outputs", 0, "schema", name)
    for key, other in (("connection", "table"), ("table", "connection")):
        if getattr(output, key) is not None and getattr(output, other) is None:
            hint = f"`connection` and `table` together publish to another system; add `{other}`"
            yield wrong(f"`{key}` stands without `{other}`", "outputs", 0, key, hint=hint)
    yield from _mode_checks(output, wrong)
    for index, check in enumerate(document.checks):
        content = check.check().spec
        for name in content.get("columns", [content["column"]] if "column" in content else []):
            if name not in output.columns:
                problem = f"the check names `{name}`, which is not a column of the schema"
                yield wrong(problem, "checks", index, hint=did_you_mean(name, output.columns))


def _mode_checks(output: OutputDocument, wrong: Any) -> Iterator[LayoutError]:
    mode = output.resolved_mode
    if mode is Mode.REPLACE_SLICE and not output.slice:
        problem = "`replace_slice` needs `slice`, the columns that all rows of one slice share"
        yield wrong(problem, "outputs", 0, "mode", hint="add `slice: [day]`, or use `snapshot_replace`")
    if mode is Mode.SNAPSHOT_REPLACE and output.slice:
        problem = "`snapshot_replace` writes the whole dataset, so it has no `slice`"
        yield wrong(problem, "outputs", 0, "slice", hint="remove `slice`, or use `replace_slice`")
    if mode is not Mode.SNAPSHOT_REPLACE and "allow_shrink" in output.model_fields_set:
        yield wrong("`allow_shrink` belongs to `snapshot_replace`", "outputs", 0, "allow_shrink")


def _step(document: LayoutDocument, front: FrontMatter, name: DatasetName, file: str) -> SqlStep:
    declared = document.outputs[0]
    required = {*declared.grain, *declared.slice}
    output = Output(
        dataset=name,
        schema=Schema(tuple(c.column(key, required=key in required) for key, c in declared.columns.items())),
        mode=declared.resolved_mode,
        slice_columns=tuple(declared.slice),
        grain=tuple(declared.grain),
        on_empty=declared.on_empty,
        allow_shrink=declared.allow_shrink,
        checks=tuple(check.check() for check in document.checks),
        description=document.description,
        target=Target(declared.connection, declared.table)
        if declared.connection and declared.table
        else None,
    )
    bindings = {variable: column for column, variable in declared.slice.items()}
    sources = {source.name: source.source for source in document.inputs if source.source is not None}
    inputs = {
        i.name: sources[i.name].dataset if i.name in sources else DatasetName.parse(i.dataset or "")
        for i in document.inputs
    }
    variables = {name: _SLICE_TYPES[declared.columns[column].type] for name, column in bindings.items()}
    return SqlStep(
        name=str(name),
        inputs=inputs,
        outputs=(output,),
        sql=front.sql.rstrip().rstrip(";").rstrip(),
        variables=variables,
        file=file,
        sql_line=front.sql_line,
        description=document.description,
        bindings=bindings,
        sources=sources,
        fingerprint=fingerprint(normalised(front.sql), _told(bindings), _told(variables), _told(inputs)),
    )


def _told(names: Mapping[str, object]) -> str:
    """Names and what they stand for, in an order that the file's does not change."""
    return json.dumps(sorted((name, str(value)) for name, value in names.items()))


def _analysed(step: SqlStep, front: FrontMatter, cached: Path | None) -> SqlStep:
    """The step with its grain proven or not; raises every error of its SQL."""
    proven = _recall(cached)
    if proven is None:
        proven = _analyse(step, front)
        _remember(cached, proven=proven)
    return replace(step, outputs=(replace(step.outputs[0], grain_proven=proven),))


def _analyse(step: SqlStep, front: FrontMatter) -> bool:
    where = {"file": step.file, "line": step.sql_line}
    undefined = undefined_variables(step.sql, step.variables, file=step.file, line=step.sql_line)
    if undefined:
        raise LayoutError.all_of(undefined)
    if not step.sql.strip():
        problem = "there is no SQL below the front matter"
        raise LayoutError(problem, Place(step.file, step.sql_line))
    sql = render_sample(step.sql, step.variables, file=str(where["file"]), line=step.sql_line)
    from gamelake.layouts.lint import Subject, lint

    inputs = {name: front.line_of(("inputSources", index, "name")) for index, name in enumerate(step.inputs)}
    verdict = lint(Subject(sql, step.file, step.sql_line, inputs, step.outputs[0]))
    if verdict.errors:
        raise LayoutError.all_of(verdict.errors)
    return verdict.grain_proven


def _cache_file(folder: Path | None, raw: bytes, name: str) -> Path | None:
    if folder is None:
        return None
    return folder / "layouts" / f"{sha256(raw + name.encode() + _ANALYSIS.encode()).hexdigest()}.json"


def _recall(file: Path | None) -> bool | None:
    if file is None:
        return None
    try:
        return bool(json.loads(file.read_bytes())["grain_proven"])
    except (OSError, ValueError, KeyError):
        return None  # absent or damaged: the analysis runs again


def _remember(file: Path | None, *, proven: bool) -> None:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"grain_proven": proven}), encoding="utf-8")
