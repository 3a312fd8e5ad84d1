"""The JSON Schema of a layout, for editors."""

from __future__ import annotations

from typing import Any

from gamelake.layouts.document import LayoutDocument
from gamelake.model.schema import PARAMETERS, SEMANTIC_STORAGE, ColumnType


def json_schema() -> dict[str, Any]:
    """Schema of a YAML or JSON layout, and of the front matter of a SQL one.

    It accepts what loading accepts key by key; rules between keys are told by `layout check`.
    """
    made = LayoutDocument.model_json_schema(by_alias=True)
    parts = made["$defs"]
    names = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    for part in ("InputDocument", "OutputDocument"):
        properties = parts[part]["properties"]
        properties["slice"] = {"anyOf": [names, properties["slice"]]}
    column = parts["ColumnDocument"]
    column["properties"].pop("meaning", None)
    column["properties"]["type"] = {"type": "string", "pattern": f"^({_types()})$"}
    shorthand = {"type": "string", "pattern": rf"^\s*({_types()})(\s+[Nn][Oo][Tt]\s+[Nn][Uu][Ll][Ll])?\s*$"}
    parts["ColumnDocument"] = {"anyOf": [shorthand, column]}
    variable = parts["VariableDocument"]
    parts["VariableDocument"] = {"anyOf": [variable["properties"]["type"], variable]}
    made["properties"] |= {
        "transformSql": {"type": "string", "title": "The SQL"},
        "sqlFile": {"type": "string", "title": "A file beside the layout that holds the SQL"},
    }
    made["not"] = {"required": ["transformSql", "sqlFile"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "gamelake layout"}


def _types() -> str:
    plain = [*(kind.value for kind in ColumnType), r"decimal\(\d+, ?\d+\)"]
    rich = [f"{kind}<({PARAMETERS[kind]})>" if kind in PARAMETERS else kind for kind in SEMANTIC_STORAGE]
    return "|".join([*plain, *rich])
