"""Tools for models, made of Python's functions and classes."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional, Union

from . import _schema
from ._answer import ToolCall
from ._errors import ArgumentError

_log = logging.getLogger("tolmach.tools")

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Tool:
    """A tool that a model may call: a function with annotations and a docstring, or a
    dataclass or pydantic model.

    Its name, description and parameters are those of the function; `Annotated[str, "..."]`
    describes a parameter. A class is a tool whose arguments are its fields: a call of it makes
    an instance, and where that has `__call__()`, its result is the tool's.
    """

    name: str
    """What the model calls it by."""
    description: str
    """When and how to use it, for the model."""
    schema: dict[str, Any]
    """The JSON schema of its arguments."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: Optional[str] = None,
        description: Optional[str] = None,
    ) -> None:
        """`name` and `description` replace those of the function."""
        self._function = function
        self._fields: Optional[dict[str, _schema.Field]] = None
        if isinstance(function, type):
            self._called = getattr(function, "__call__", None) if _has_call(function) else None
            self.schema = _schema.schema_of(function)
            if self.schema.get("type") != "object":
                raise TypeError(f"{function.__qualname__} is no tool: its values are no objects")
            self.schema.pop("description", None)
        else:
            self._called = function
            self._fields = _parameters(function)
            self.schema = _schema.schema_of_fields(self._fields)
        own_name = getattr(function, "__name__", None)
        if name is None and (own_name is None or own_name == "<lambda>"):
            raise ArgumentError(f"{function!r} has no name of its own: Tool(..., name=...) gives one")
        self.name = name if name is not None else str(own_name)
        of_function = _schema.description_of(function)
        self.description = description if description is not None else of_function

    @property
    def is_async(self) -> bool:
        """Whether it has to be awaited."""
        called = self._called
        return inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(
            getattr(called, "__call__", None)
        )

    @property
    def can_run(self) -> bool:
        """Whether there is something to run: not for a class without `__call__()`."""
        return self._called is not None

    def prepare(self, arguments: str) -> Callable[[], Any]:
        """The call with these arguments, JSON. A ValueError where they do not fit."""
        values = json.loads(arguments or "{}")
        if self._fields is None:
            made = _schema.parse(self._function, values)
            return made if callable(made) else lambda: made
        if not isinstance(values, dict):
            raise _schema.Misfit("the arguments are no JSON object")
        named = _schema.parse_fields(self._fields, values)
        return lambda: self._function(**named)

    def __repr__(self) -> str:
        return f"<tolmach.Tool {self.name!r}>"


AnyTool = Union[Tool, Callable[..., Any]]
"""A Tool, or what one can be made of: a function, dataclass or pydantic model."""


def as_tool(tool: AnyTool) -> Tool:
    return tool if isinstance(tool, Tool) else Tool(tool)


class Toolbox:
    """The tools of a conversation. What goes wrong with a call is told to the model."""

    def __init__(self, tools: Iterable[AnyTool], can_await: bool) -> None:
        self.tools: dict[str, Tool] = {}
        for tool in map(as_tool, tools):
            if not tool.can_run:
                raise ArgumentError(f"the tool {tool.name} cannot run: it has no __call__()")
            if tool.is_async and not can_await:
                raise ArgumentError(f"the tool {tool.name} is async: run_async() can await it")
            if tool.name in self.tools:
                raise ArgumentError(f"two tools have the name {tool.name}")
            self.tools[tool.name] = tool

    def run(self, calls: Sequence[ToolCall]) -> list[str]:
        """The results of calls, one after another."""
        return [self._run(call) for call in calls]

    async def run_async(self, calls: Sequence[ToolCall]) -> list[str]:
        """The results of calls, all at once."""
        return list(await asyncio.gather(*map(self._run_async, calls)))

    def _run(self, call: ToolCall) -> str:
        try:
            return _as_text(self._prepare(call)())
        except Exception as error:
            return _told(call, error)

    async def _run_async(self, call: ToolCall) -> str:
        try:
            prepared = self._prepare(call)
            if self.tools[call.name].is_async:
                result = await prepared()
            else:
                # The loop goes on meanwhile.
                result = await asyncio.to_thread(prepared)
            return _as_text(result)
        except Exception as error:
            return _told(call, error)

    def _prepare(self, call: ToolCall) -> Callable[[], Any]:
        tool = self.tools.get(call.name)
        if tool is None:
            raise LookupError(f"there is no tool {call.name}; there are {', '.join(self.tools)}")
        try:
            return tool.prepare(call.arguments)
        except ValueError as error:
            raise ValueError(f"the arguments do not fit: {error}") from error


def _parameters(function: Callable[..., Any]) -> dict[str, _schema.Field]:
    name = getattr(function, "__qualname__", repr(function))
    hints = _schema.hints_of(_annotated(function))
    fields = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in _BY_NAME:
            raise TypeError(f"{name} is no tool: {parameter} cannot be given by name")
        if parameter.name not in hints:
            raise TypeError(f"{name} is no tool: {parameter.name} has no annotation")
        is_required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = _schema.field_of(
            hints[parameter.name], is_required, parameter.default
        )
    return fields


def _annotated(function: Callable[..., Any]) -> Any:
    """What has the annotations of something that can be called."""
    function = getattr(function, "func", function)  # functools.partial
    return function if hasattr(function, "__annotations__") else type(function).__call__


def _has_call(kind: type) -> bool:
    return any("__call__" in vars(base) for base in kind.__mro__)


def _as_text(result: object) -> str:
    if isinstance(result, str):
        return result
    return json.dumps(result, ensure_ascii=False, default=_schema.plain)


def _told(call: ToolCall, error: Exception) -> str:
    _log.debug("the tool %s failed", call.name, exc_info=error)
    return f"error: {type(error).__name__}: {error}"
