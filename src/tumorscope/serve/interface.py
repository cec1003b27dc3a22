"""The interface as a page to read: its OpenAPI document, without a script or another server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tumorscope.report.html import render_page

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """A parameter of an address, or a value of a message.

    Attributes:
        name: its name.
        kind: what it may be, in words.
        needed: whether it must be given.
        default: what it is unless given; empty where there is nothing to say.
    """

    name: str
    kind: str
    needed: bool
    default: str


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked.

    Attributes:
        method: of HTTP.
        path: the address.
        text: what it does.
        fields: its parameters.
        takes: the message or form that it takes; empty for none.
        gives: what it answers.
    """

    method: str
    path: str
    text: str
    fields: tuple[Field, ...]
    takes: str
    gives: str


def interface_page(document: Schema) -> str:
    """Return a page of an OpenAPI document."""
    operations = [
        _operation(method.upper(), path, own)
        for path, methods in document["paths"].items()
        for method, own in methods.items()
    ]
    schemas = document["components"]["schemas"]
    messages = {
        name: (own.get("description", ""), _fields(own))
        for name, own in sorted(schemas.items())
        if not name.startswith(("Body_", "HTTPValidation", "Validation"))
    }
    values = {"about": document["info"], "operations": operations, "messages": messages}
    return render_page("interface", values)


def _operation(method: str, path: str, own: Schema) -> Operation:
    parameters = own.get("parameters", ())
    fields = tuple(
        Field(each["name"], _kind(each["schema"]), each.get("required", False), _default(each))
        for each in parameters
    )
    answers = own["responses"]
    good = next(code for code in answers if code.startswith("2"))
    body = own.get("requestBody", {}).get("content", {})
    gives = _content(answers[good].get("content", {}))
    text = own.get("description", own["summary"])
    return Operation(method, path, text, fields, _content(body), gives)


def _content(content: Schema) -> str:
    """Say what a request or an answer holds."""
    if not content:
        return ""
    media, own = next(iter(content.items()))
    if media == "multipart/form-data":
        return "a form with one or more files in the field files"
    if media == "application/json":
        return f"{_kind(own.get('schema', {}))}, as JSON"
    return str(media)


def _fields(schema: Schema) -> tuple[Field, ...]:
    needed = schema.get("required", ())
    return tuple(
        Field(name, _kind(own), name in needed, _default({"schema": own}))
        for name, own in schema.get("properties", {}).items()
    )


def _default(own: Schema) -> str:
    value = own["schema"].get("default")
    return "" if value in (None, "") else json.dumps(value)


def _kind(schema: Schema) -> str:
    """Say what a value may be."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_kind(own) for own in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(repr(own) for own in schema.get("enum", (schema.get("const"),)))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = [
        f"{word} {schema[key]:,}"
        for key, word in (
            *(("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most")),
            *(("minLength", "at least"), ("maxLength", "at most")),
        )
        if key in schema
    ]
    unit = " characters" if "minLength" in schema or "maxLength" in schema else ""
    said = f", {' and '.join(limits)}{unit}" if limits else ""
    return f"{schema.get('format', schema.get('type', 'anything'))}{said}"
