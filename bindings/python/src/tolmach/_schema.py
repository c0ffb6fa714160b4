"""JSON schemas of Python's types, and values of these types out of JSON."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import inspect
import json
import sys
import typing
from typing import Annotated, Any, Literal, Optional, Union

Schema = dict[str, Any]

_UNIONS: tuple[Any, ...] = (Union,)
if sys.version_info >= (3, 10):
    import types

    _UNIONS = (Union, types.UnionType)

_PLAIN: dict[Any, Schema] = {
    Any: {},
    object: {},
    None: {"type": "null"},
    type(None): {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    dict: {"type": "object"},
    list: {"type": "array"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
}
_LISTS = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.MutableSequence: list,
    collections.abc.Set: set,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class Misfit(ValueError):
    """A JSON value that does not fit a type."""


@dataclasses.dataclass
class Field:
    """A field of an object, or a parameter of a function."""

    kind: Any
    is_required: bool
    description: str = ""
    default: Any = None

    def schema(self, definitions: _Definitions) -> Schema:
        schema = definitions.of(self.kind)
        if self.description and "$ref" not in schema:
            schema = {**schema, "description": self.description}
        if isinstance(self.default, (bool, int, float, str)) and "$ref" not in schema:
            plain = self.default.value if isinstance(self.default, enum.Enum) else self.default
            schema = {**schema, "default": plain}
        return schema


def schema_of(kind: Any) -> Schema:
    """The JSON schema of a type; a TypeError for one that JSON has nothing for."""
    definitions = _Definitions()
    return definitions.rooted(definitions.of(kind))


def schema_of_fields(fields: dict[str, Field]) -> Schema:
    """The JSON schema of an object that has these fields and no others."""
    definitions = _Definitions()
    return definitions.rooted(definitions.of_fields(fields))


def parse(kind: Any, value: Any, path: str = "") -> Any:
    """A value of that type out of what the JSON decoder gave; a Misfit where it does not fit."""
    kind, _ = _bare(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in (Any, object):
        return value
    if kind in (None, type(None)):
        return _checked(value is None, "null", value, path)
    if origin is Literal:
        return _one_of(arguments, value, path)
    if origin in _UNIONS:
        return _first_that_fits(arguments, value, path)
    if _is_pydantic(kind):
        try:
            return kind.model_validate(value)
        except ValueError as error:
            raise Misfit(_of_pydantic(error, path)) from error
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        values = {json.dumps(member.value, default=str): member for member in kind}
        known = [member.value for member in kind]
        return values[json.dumps(_one_of(known, value, path), default=str)]
    if kind is bool:
        return _checked(isinstance(value, bool), "true or false", value, path)
    if kind is int:
        is_whole = isinstance(value, float) and value.is_integer()
        fits = isinstance(value, int) and not isinstance(value, bool)
        return _checked(fits or is_whole, "a whole number", int(value) if is_whole else value, path)
    if kind is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(_checked(fits, "a number", value, path))
    if kind is str:
        return _checked(isinstance(value, str), "a string", value, path)
    if kind in (datetime.datetime, datetime.date):
        return _moment(kind, value, path)
    if _fields_of(kind) is not None:
        fields = _fields_of(kind) or {}
        made = parse_fields(fields, _checked(isinstance(value, dict), "an object", value, path), path)
        try:
            return kind(**made)
        except ValueError as error:
            raise Misfit(_at(path, str(error))) from error
    container = origin or kind
    if container in _LISTS:
        items = _checked(isinstance(value, list), "an array", value, path)
        item = arguments[0] if arguments else Any
        parsed = [parse(item, each, f"{path}[{n}]") for n, each in enumerate(items)]
        try:
            return _LISTS[container](parsed)
        except TypeError as error:
            raise Misfit(_at(path, str(error))) from error
    if container is tuple:
        return _tuple(arguments, value, path)
    if container in _MAPPINGS:
        entries = _checked(isinstance(value, dict), "an object", value, path)
        item = arguments[1] if arguments else Any
        return {key: parse(item, each, _under(path, key)) for key, each in entries.items()}
    raise _unknown(kind)


def parse_fields(fields: dict[str, Field], values: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The fields that an object has, each of its type."""
    for name in values:
        if name not in fields:
            raise Misfit(f"{_under(path, name)}: unknown; there are {', '.join(fields) or 'none'}")
    for name, field in fields.items():
        if field.is_required and name not in values:
            raise Misfit(f"{_under(path, name)}: missing")
    return {name: parse(fields[name].kind, each, _under(path, name)) for name, each in values.items()}


def plain(value: Any) -> Any:
    """For json.dumps: what JSON has for a value that it has no type for."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, collections.abc.Mapping):
        return dict(value)
    return str(value)


def description_of(thing: Any) -> str:
    """Its docstring, but not the one that a dataclass makes for itself."""
    doc = thing.__doc__ if isinstance(thing, type) else inspect.getdoc(thing)
    name = getattr(thing, "__name__", "")
    return inspect.cleandoc(doc) if doc and not doc.startswith(f"{name}(") else ""


def hints_of(thing: Any) -> dict[str, Any]:
    """The annotations, where they are strings evaluated."""
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except NameError as error:
        name = getattr(thing, "__qualname__", repr(thing))
        raise TypeError(
            f"the annotations of {name} cannot be evaluated: {error}; define what they name"
            " at the top of its module"
        ) from error


def field_of(annotation: Any, is_required: bool, default: Any = None) -> Field:
    kind, description = _bare(annotation)
    return Field(kind, is_required, description, None if is_required else default)


def as_object(schema: Schema) -> Optional[Schema]:
    """A schema for what providers take alone as a whole answer: None where it is one already."""
    if schema.get("type") == "object" or "$ref" in schema:
        return None
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    return {
        "type": "object",
        "properties": {"value": inner},
        "required": ["value"],
        "additionalProperties": False,
        **definitions,
    }


def strict(schema: Schema) -> Optional[Schema]:
    """As providers want it that keep to a schema strictly: every object has all its fields and
    no others. None where an object may have any."""
    try:
        made: Schema = _strict(schema)
    except Misfit:
        return None
    return made


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema == {}:
        raise Misfit("anything goes")
    made: Schema = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            made[key] = {name: _strict(each) for name, each in value.items()}
        elif key in ("items", "anyOf", "allOf", "prefixItems"):
            made[key] = _strict(value)
        elif key != "default":
            made[key] = value
    if schema.get("type") == "object":
        if not isinstance(schema.get("properties"), dict) or schema.get("additionalProperties"):
            raise Misfit("any field goes")
        made["required"] = list(schema["properties"])
        made["additionalProperties"] = False
    if schema.get("type") == "array" and "items" not in schema:
        raise Misfit("any item goes")
    return made


class _Definitions:
    """Makes schemas, which have the types inside of them in place. Those that have themselves
    inside are definitions."""

    def __init__(self) -> None:
        self._under_way: list[Any] = []
        self._recursive: list[Any] = []
        self._made: dict[str, Schema] = {}

    def rooted(self, schema: Schema) -> Schema:
        return {**schema, "$defs": self._made} if self._made else schema

    def of(self, kind: Any) -> Schema:
        kind, description = _bare(kind)
        schema = self._of(kind)
        return {**schema, "description": description} if description else schema

    def _of(self, kind: Any) -> Schema:
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is Literal:
            return _enum(arguments)
        if origin in _UNIONS:
            return {"anyOf": [self.of(each) for each in arguments]}
        if _is_pydantic(kind):
            schema: Schema = kind.model_json_schema()
            for name, definition in schema.pop("$defs", {}).items():
                self._define(name, definition)
            return schema
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return _enum([member.value for member in kind])
        fields = _fields_of(kind)
        if fields is not None:
            return self._of_class(kind, fields)
        container = origin or kind
        if container in _LISTS:
            return {"type": "array", "items": self.of(arguments[0] if arguments else Any)}
        if container is tuple:
            return self._of_tuple(arguments)
        if container in _MAPPINGS and (not arguments or arguments[0] is str):
            return {
                "type": "object",
                "additionalProperties": self.of(arguments[1] if arguments else Any),
            }
        raise _unknown(kind)

    def of_fields(self, fields: dict[str, Field]) -> Schema:
        return {
            "type": "object",
            "properties": {name: field.schema(self) for name, field in fields.items()},
            "required": [name for name, field in fields.items() if field.is_required],
            "additionalProperties": False,
        }

    def _of_class(self, kind: Any, fields: dict[str, Field]) -> Schema:
        reference = {"$ref": f"#/$defs/{kind.__name__}"}
        if kind in self._under_way:
            self._recursive.append(kind)
            return reference
        self._under_way.append(kind)
        schema = self.of_fields(fields)
        self._under_way.pop()
        if description_of(kind):
            schema["description"] = description_of(kind)
        if kind not in self._recursive:
            return schema
        self._define(kind.__name__, schema)
        return reference

    def _of_tuple(self, arguments: tuple[Any, ...]) -> Schema:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0])}
        if not arguments:
            return {"type": "array", "items": {}}
        schemas = [self.of(each) for each in arguments]
        different = [each for n, each in enumerate(schemas) if each not in schemas[:n]]
        items = different[0] if len(different) == 1 else {"anyOf": different}
        size = len(arguments)
        return {"type": "array", "items": items, "minItems": size, "maxItems": size}

    def _define(self, name: str, schema: Schema) -> None:
        if self._made.setdefault(name, schema) != schema:
            raise TypeError(f"two types have the name {name}: give one of them another")


def _bare(kind: Any) -> tuple[Any, str]:
    """The type without what is annotated to it, and the description among that."""
    description = ""
    while True:
        if typing.get_origin(kind) is Annotated:
            kind, *notes = typing.get_args(kind)
            said = [note if isinstance(note, str) else getattr(note, "description", None) for note in notes]
            description = description or next((each for each in said if isinstance(each, str)), "")
        elif getattr(typing.get_origin(kind), "_name", "") in ("Required", "NotRequired"):
            (kind,) = typing.get_args(kind)
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        else:
            return kind, description


def _fields_of(kind: Any) -> Optional[dict[str, Field]]:
    """The fields of a dataclass or of a TypedDict; None for what is neither."""
    if not isinstance(kind, type):
        return None
    if dataclasses.is_dataclass(kind):
        hints = hints_of(kind)
        return {
            field.name: _with_metadata(field, field_of(
                hints[field.name],
                field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
                field.default,
            ))
            for field in dataclasses.fields(kind)
            if field.init
        }
    if issubclass(kind, dict) and hasattr(kind, "__total__"):
        required: frozenset[str] = getattr(kind, "__required_keys__")
        return {name: field_of(hint, name in required) for name, hint in hints_of(kind).items()}
    return None


def _with_metadata(field: dataclasses.Field[Any], made: Field) -> Field:
    said = field.metadata.get("description")
    return dataclasses.replace(made, description=said) if isinstance(said, str) else made


def _is_pydantic(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_json_schema") and hasattr(kind, "model_validate")


def _of_pydantic(error: Any, path: str) -> str:
    """In one line, as the other messages are."""
    said = []
    for each in error.errors():
        where = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in each["loc"])
        said.append(_at((path + where).lstrip("."), each["msg"]))
    return "; ".join(said)


def _enum(values: Any) -> Schema:
    kinds = {type(value) for value in values}
    names = {_PLAIN[kind]["type"] for kind in kinds if kind in _PLAIN}
    if len(names) != 1 or not all(kind in _PLAIN for kind in kinds):
        names = set()
    return {**({"type": names.pop()} if names else {}), "enum": list(values)}


def _one_of(known: Any, value: Any, path: str) -> Any:
    for each in known:
        if each == value and isinstance(each, bool) == isinstance(value, bool):
            return each
    choices = ", ".join(json.dumps(each, ensure_ascii=False, default=str) for each in known)
    raise Misfit(_at(path, f"expected one of {choices}, got {_shown(value)}"))


def _first_that_fits(kinds: Any, value: Any, path: str) -> Any:
    misfits = []
    # The exact type first: an int stays one in Union[float, int].
    for kind in sorted(kinds, key=lambda kind: kind is not type(value)):
        try:
            return parse(kind, value, path)
        except Misfit as misfit:
            if kind is not type(None):
                misfits.append(str(misfit))
    raise Misfit("; or ".join(misfits))


def _moment(kind: Any, value: Any, path: str) -> Any:
    text = _checked(isinstance(value, str), "a string", value, path)
    try:
        # "Z" is not understood before Python 3.11.
        return kind.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError as error:
        raise Misfit(_at(path, f"expected a {kind.__name__} by ISO 8601, got {_shown(value)}")) from error


def _tuple(arguments: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    items = _checked(isinstance(value, list), "an array", value, path)
    if not arguments:
        return tuple(items)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(items)
    _checked(len(items) == len(arguments), f"an array of {len(arguments)}", value, path)
    pairs = enumerate(zip(arguments, items))
    return tuple(parse(kind, each, f"{path}[{n}]") for n, (kind, each) in pairs)


def _checked(fits: bool, expected: str, value: Any, path: str) -> Any:
    if not fits:
        raise Misfit(_at(path, f"expected {expected}, got {_shown(value)}"))
    return value


def _shown(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _at(path: str, message: str) -> str:
    return f"{path}: {message}" if path else message


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _unknown(kind: Any) -> TypeError:
    name = getattr(kind, "__qualname__", None) or repr(kind)
    return TypeError(
        f"{name} has no JSON schema: take str, int, float, bool, None, Literal, Enum, date, datetime,"
        " list, tuple, set, dict[str, ...], Union, a dataclass, a TypedDict or a pydantic model"
    )
