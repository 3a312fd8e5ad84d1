"""From a folder of layouts to steps; every mistake of every file at once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gamelake.errors import LayoutError, Place, UserError, did_you_mean
from gamelake.layouts.cache import StepCache
from gamelake.layouts.checks import known_check_keys
from gamelake.layouts.checks import mistakes as check_mistakes
from gamelake.layouts.document import InputDocument, LayoutDocument, OutputDocument, known_keys
from gamelake.layouts.fingerprint import fingerprint, normalised
from gamelake.layouts.frontmatter import dotted
from gamelake.layouts.modes import mode_problems
from gamelake.layouts.paths import SLICE_TYPES
from gamelake.layouts.pushed import query_mistakes, with_variables
from gamelake.layouts.spelling import SUFFIXES, read_layout, sql_file_of
from gamelake.layouts.supported import refusals
from gamelake.layouts.template import render_sample, typed, undefined_variables
from gamelake.model.checks import CheckKind
from gamelake.model.names import DatasetName, Layer
from gamelake.model.schema import Schema
from gamelake.model.steps import PREVIOUS, Mode, Output, Reading, SqlStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

    from gamelake.layouts.frontmatter import FrontMatter, KeyPath

_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_LAYER_WORDS = {"etl", "std", "cons", *(layer.value for layer in Layer)}


def load_folder(folder: Path, pack: str, *, cache: Path | None = None) -> list[SqlStep]:
    """Steps of `<folder>/<layer>/<name>.sql` (or `.yaml`, `.json`), by name; raises one LayoutError of every mistake.

    `cache` is a folder for what was made of each file; a file of the same bytes is not read again.
    """
    steps: list[SqlStep] = []
    errors: list[LayoutError] = []
    known = StepCache.open(cache, folder, pack)
    for file in layout_files(folder, known):
        try:
            steps.append(_load(file, pack, known))
        except LayoutError as err:
            errors.append(err)
    known.save()
    errors += _twice(steps)
    if errors:
        raise LayoutError.all_of(errors)
    return sorted(steps, key=lambda step: step.name)


def layout_files(folder: Path, known: StepCache | None = None) -> list[Path]:
    """Every layout below a folder, by path; a `.sql` file that another layout names as its SQL is none."""
    found = sorted(file for file in folder.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    beside = {_sql_file(file, known) for file in found if file.suffix != ".sql"}
    return [file for file in found if file not in beside]


def _sql_file(file: Path, known: StepCache | None) -> Path | None:
    entry = known.known.get(str(file)) if known else None
    if entry is not None and known and known.recall(file, file.read_bytes()):
        return Path(entry.sql_file) if entry.sql_file else None
    return sql_file_of(file)


def load_file(file: Path, pack: str, *, cache: Path | None = None) -> SqlStep:
    """The step of one file; raises one LayoutError holding every mistake of the file."""
    known = StepCache.open(cache, file.parent, pack)
    step = _load(file, pack, known)
    known.save()
    return step


def _load(file: Path, pack: str, known: StepCache) -> SqlStep:
    raw = file.read_bytes()
    step = known.recall(file, raw)
    if step is None:
        front = read_layout(file, shown(file))
        step = make_step(file, front, pack)
        known.remember(file, raw, step, front.sql_path)
    return step


def make_step(file: Path, front: FrontMatter, pack: str) -> SqlStep:
    """The step of a layout that was read; raises one LayoutError holding every mistake of the file."""
    where = shown(file)
    errors: list[LayoutError] = []
    document = name = None
    try:
        name = dataset_of(file, pack, front)
    except LayoutError as err:
        errors += [err]
    try:
        document = validated(front, where)
    except LayoutError as err:
        errors += [err]
    if document is not None:
        errors += [*_cross_checks(document, front, where), *_unsupported(document, front, where)]
    if errors or document is None or name is None:
        raise LayoutError.all_of(errors)
    return _analysed(_step(document, front, name, where), front)


def dataset_of(file: Path, pack: str, front: FrontMatter | None = None) -> DatasetName:
    """The dataset a file writes: by its folder and name, or by the key `layer` where the folder is no layer."""
    stated = front.data.get("layer") if front is not None else None
    place = Place(shown(file))
    layer: Layer | None = None
    try:
        layer = Layer.parse(file.parent.name)
    except UserError as err:
        if stated is None:
            problem = f"a layout lies in the folder of its layer; {err.problem}"
            raise LayoutError(problem, place, err.hint or "or say it with the key `layer`") from err
    if isinstance(stated, str) and stated in _LAYER_WORDS:
        if layer not in {None, Layer.parse(stated)}:
            line = front.line_of(("layer",)) if front is not None else 1
            problem = f"the layer is `{stated}` here, and the file lies in the folder `{file.parent.name}`"
            raise LayoutError(problem, Place(shown(file), line, "layer"), "remove `layer`, or move the file")
        layer = Layer.parse(stated)
    if layer is None:  # the key `layer` is wrong, and is told so
        layer = Layer.GOLD
    if not _FILE_NAME.match(file.stem):
        problem = f"`{file.stem}` is not a dataset name, expected lower-case letters, digits and `_`"
        raise LayoutError(problem, place, "rename the file")
    return DatasetName(pack, layer, file.stem)


def shown(file: Path) -> str:
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


def validated(front: FrontMatter, file: str) -> LayoutDocument:
    """The document of what was read; LayoutError with every key that is wrong by itself."""
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
        known = known_check_keys(detail["loc"]) or known_keys(path[:-1])
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
        for problem, key in source.mistakes():
            yield wrong(problem, "inputSources", index, key)
        for problem, key, hint in _unpaired(source, output):
            yield wrong(problem, "inputSources", index, key, hint=hint)
        if source.resolved_type == "query" and source.query is not None:
            # where its text goes on in the file depends on how YAML was told to fold it: the key's line it is
            kinds = {
                variable: SLICE_TYPES.get(output.columns[column].type, "text")
                if column in output.columns
                else "text"
                for column, variable in output.slice.items()
            }
            yield from query_mistakes(source.query, kinds, _source_place(source, index, front, file))
        for key, name in source.counting.items():
            found = document.variables.get(name)
            if found is None or found.type != "int":
                problem = f"`{key}` follows `{name}`, which is no variable of type `int`"
                hint = did_you_mean(name, document.variables) or f"declare it: `variables: {{{name}: int}}`"
                yield wrong(problem, "inputSources", index, key, hint=hint)
    for problem, key in output.mistakes():
        yield wrong(problem, "outputs", 0, key)
    yield from _variable_checks(document, wrong)
    for key, columns in (("grain", output.grain), ("slice", list(output.slice))):
        for name in columns:
            if name not in output.columns:
                problem = f"`{name}` is not a column of the schema"
                yield wrong(problem, "outputs", 0, key, hint=did_you_mean(name, output.columns))
    for name in output.slice:
        column = output.columns.get(name)
        if column is not None and column.type not in SLICE_TYPES:
            problem = f"`{name}` is `{column.type.value}`; a slice column is one of: date, int, bigint, text"
            yield wrong(problem, "outputs", 0, "schema", name)
    yield from _mode_checks(output, wrong)
    for problem, path, hint in mode_problems(document):
        yield wrong(problem, *path, hint=hint)
    types = {name: column.type for name, column in output.columns.items()}
    for index, check in enumerate(document.checks):
        for problem, hint in check_mistakes(check, types, tuple(output.slice)):
            yield wrong(problem, "checks", index, hint=hint)


def _unpaired(source: InputDocument, output: OutputDocument) -> Iterator[tuple[str, str, str | None]]:
    """(problem, key, hint) of variables that pair a slice column of an input with none of the output's."""
    known = output.slice.values()
    for column, variable in source.pairs.items():
        if variable not in {*known, column}:
            problem = f"the variable `{variable}` chooses no slice of the output"
            hint = did_you_mean(variable, known) or "name a variable of the output's `slice`"
            yield problem, "slice" if source.slice else "path", hint


def _variable_checks(document: LayoutDocument, wrong: Any) -> Iterator[LayoutError]:
    """Declared variables against the slice columns that bind them, and defaults against their types."""
    output = document.outputs[0]
    bound = {variable: column for column, variable in output.slice.items()}
    for name, variable in document.variables.items():
        column = output.columns.get(bound.get(name, ""))
        expected = SLICE_TYPES.get(column.type) if column is not None else None
        if expected is not None and expected != variable.type:
            problem = (
                f"`{name}` is `{variable.type}` here, and its slice column `{bound[name]}` is `{expected}`"
            )
            yield wrong(problem, "variables", name, hint=f"write `{name}: {expected}`, or leave it out")
        default = variable.default_text
        if default is not None:
            try:
                typed(default, variable.type, today=date(2000, 1, 1))
            except ValueError:
                problem = f"`{default}` is not a value of the type `{variable.type}`"
                hint = "write `2026-02-16`, `today` or `yesterday`" if variable.type == "date" else None
                yield wrong(problem, "variables", name, "default", hint=hint)


def _unsupported(document: LayoutDocument, front: FrontMatter, file: str) -> Iterator[LayoutError]:
    for problem, path, hint in refusals(document):
        yield LayoutError(problem, Place(file, front.line_of(path), dotted(path)), hint)


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
    open_grain = {name for name in declared.grain if declared.columns[name].may_be_null}
    required = {*declared.grain} - open_grain | {*declared.slice}
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
        evolve=declared.evolve,
        target=declared.target,
    )
    bindings = {variable: column for column, variable in declared.slice.items()}
    sources = {
        declared_input.name: with_variables(
            replace(made, place=_source_place(declared_input, index, front, file)),
            declared_input.slice,
            {variable: declared.columns[column] for variable, column in bindings.items()},
            bindings,
            {name: text for name, v in document.variables.items() if (text := v.default_text) is not None},
        )
        for index, declared_input in enumerate(document.inputs)
        if (made := declared_input.source) is not None
    }
    inputs = {
        i.name: sources[i.name].dataset if i.name in sources else DatasetName.parse(i.dataset or "")
        for i in document.inputs
    }
    readings = {source.name: source.reading(bindings) for source in document.inputs}
    bound = {name: SLICE_TYPES[declared.columns[column].type] for name, column in bindings.items()}
    variables = {**{name: found.type for name, found in document.variables.items()}, **bound}
    defaults = {name: found.default_text for name, found in document.variables.items()}
    sql = front.sql.rstrip().rstrip(";").rstrip()
    if not sql and len(inputs) == 1:
        sql = _pass_through(next(iter(inputs)), declared)
    free = {name: defaults[name] for name in document.variables if name not in bindings}
    told = [_told(bindings), _told(variables), _told(inputs)] + ([_told(free)] if free else [])
    # of one dataset under several names, the slices read do not tell which name shows which
    shared = {view for view, read in inputs.items() if list(inputs.values()).count(read) > 1}
    windows = {view: readings[view].lookback for view in shared if readings[view].lookback}
    told += [_told(dict(sorted(windows.items())))] if windows else []
    return SqlStep(
        name=str(name),
        inputs=inputs,
        outputs=(output,),
        sql=sql,
        variables=variables,
        file=file,
        sql_line=front.sql_line,
        sql_file=front.sql_file,
        sql_on_one_line=front.sql_on_one_line,
        description=document.description,
        bindings=bindings,
        defaults={name: text for name, text in defaults.items() if text is not None},
        fingerprint=fingerprint(normalised(sql), *told),
        readings={view: reading for view, reading in readings.items() if reading != Reading()},
        carries=bool(document.carries),
        chain=document.chain,
        sources=sources,
    )


def _source_place(source: InputDocument, index: int, front: FrontMatter, file: str) -> Place:
    """Where the table, or the query, of an input stands."""
    key = next((key for key in ("query", "path") if getattr(source, key) is not None), "table")
    path = ("inputSources", index, key)
    return Place(file, front.line_of(path), dotted(path))


def _pass_through(view: str, output: OutputDocument) -> str:
    """Without SQL, the only input goes on as it is: its columns by name, quoted as they may be words of SQL."""
    columns = ", ".join(f'"{name}"' for name in output.columns)
    return f'SELECT {columns} FROM "{view}"'


def _told(names: Mapping[str, object]) -> str:
    """Names and what they stand for, in an order that the file's does not change."""
    return json.dumps(sorted((name, str(value)) for name, value in names.items()))


def _analysed(step: SqlStep, front: FrontMatter) -> SqlStep:
    """The step with its grain proven or not; raises every error of its SQL."""
    if not step.sql.strip():
        problem = f"there is no SQL, and {len(step.inputs)} inputs: only a single one is passed through"
        raise LayoutError(problem, step.sql_place(1), "write the query that joins them")
    undefined = undefined_variables(step.sql, step.variables, place=step.sql_place)
    if undefined:
        raise LayoutError.all_of(undefined)
    sql = render_sample(step)
    from gamelake.layouts.lint import Subject, lint

    inputs = {name: front.line_of(("inputSources", index, "name")) for index, name in enumerate(step.inputs)}
    if step.carries:
        inputs[PREVIOUS] = front.line_of(("carries",))
    verdict = lint(Subject(sql, step, inputs))
    errors = [*_bad_predicates(step, front), *verdict.errors]
    if errors:
        raise LayoutError.all_of(errors)
    return replace(step, outputs=(replace(step.outputs[0], grain_proven=verdict.grain_proven),))


def _bad_predicates(step: SqlStep, front: FrontMatter) -> Iterator[LayoutError]:
    checks = [(i, c) for i, c in enumerate(step.outputs[0].checks) if c.kind is CheckKind.SQL]
    if not checks:
        return
    from gamelake.layouts.predicates import predicate_problems

    for index, check in checks:
        place = Place(step.file, front.line_of(("checks", index)), f"checks[{index}].predicate")
        for problem, hint in predicate_problems(check.spec["predicate"], step.outputs[0].schema.names):
            yield LayoutError(problem, place, hint)
