# SPDX-License-Identifier: Apache-2.0
"""Declares a node's parameters as a table: name, default, description, allowed values.

    class Parameters(ParameterTable):
        speed = NodeParameter(5.0, "metres a second", range=(0.0, 60.0), live=True)

    values = declare(node, Parameters)
    values.speed  # the current value, typed as float

Each name is written once, so a type checker finds misspelt ones. ROS itself checks types and
ranges; this module checks choices and other rules, at the start and on every change, so that
`ros2 param set` answers with the reason.
"""

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

Value = str | bool | int | float | list[str]
_Type = TypeVar("_Type", bound=Value)
_Table = TypeVar("_Table", bound="ParameterTable")


def _accept(_: Any) -> None:
    return None


@dataclass(eq=False)
class NodeParameter(Generic[_Type]):
    """One parameter, a descriptor: on an instance of its table it gives the current value.

    choices:  the allowed values, if they can be listed
    range:    least and greatest value, for numbers
    check:    raises ValueError with the reason for an invalid value
    live:     may be changed at any time; others only while `frozen` of `declare` returns ""
    constant: may be set only at the start
    name:     the name of the attribute in the table
    """

    default: _Type
    description: str
    choices: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    check: Callable[[_Type], object] = _accept
    live: bool = False
    constant: bool = False
    name: str = field(init=False)

    def __set_name__(self, owner: type, name: str) -> None:
        del owner
        self.name = name

    @overload
    def __get__(self, values: None, owner: type) -> "NodeParameter[_Type]": ...

    @overload
    def __get__(self, values: "ParameterTable", owner: type) -> _Type: ...

    def __get__(self, values: "ParameterTable | None", owner: type) -> Any:
        return self if values is None else values._node.get_parameter(self.name).value

    def problem(self, value: Any) -> str | None:
        """Says what is wrong with a value, or returns None."""
        if value is None:  # ROS turns an empty list into None
            return f"{self.name} is empty; expected a value such as {self.default!r}"
        if self.choices and value not in self.choices:
            return f"{self.name} is {value!r}; expected one of {', '.join(self.choices)}"
        try:
            self.check(value)
        except ValueError as error:
            return f"{self.name}: {error}"
        return None

    def descriptor(self) -> ParameterDescriptor:
        constraints = [f"one of: {', '.join(self.choices)}"] if self.choices else []
        if self.live:
            constraints.append("may be changed while the node runs")
        descriptor = ParameterDescriptor(
            description=self.description,
            additional_constraints="; ".join(constraints),
            read_only=self.constant,
        )
        if self.range and isinstance(self.default, float):
            least, most = self.range
            descriptor.floating_point_range = [FloatingPointRange(from_value=least, to_value=most)]
        elif self.range:
            least, most = (int(bound) for bound in self.range)
            descriptor.integer_range = [IntegerRange(from_value=least, to_value=most, step=1)]
        return descriptor


class ParameterTable:
    """Base of parameter tables: subclasses hold NodeParameters, instances give their values."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @classmethod
    def rows(cls) -> list[NodeParameter[Any]]:
        """The class's own parameters, then those of the tables it extends."""
        entries = [entry for table in cls.__mro__ for entry in vars(table).values()]
        return [entry for entry in entries if isinstance(entry, NodeParameter)]

    def by_name(self) -> dict[str, Any]:
        """The current values."""
        return {
            parameter.name: self._node.get_parameter(parameter.name).value
            for parameter in self.rows()
        }


def declare(
    node: Node,
    table: type[_Table],
    frozen: Callable[[], str] = lambda: "",
    check_all: Callable[[Mapping[str, Any]], object] = _accept,
) -> _Table:
    """Declares the parameters and returns their values, which follow every change.

    frozen:    returns why parameters that are not `live` cannot be changed now; "" if they can
    check_all: gets all values by name, at the start and before every change; raises ValueError
               with the reason if they cannot be used together, or not here

    Raises a ParameterException or ValueError for an invalid value at the start.
    """
    rows = table.rows()
    known = {parameter.name: parameter for parameter in rows}

    values = table(node)
    is_declared = False

    def check(changes: list[Parameter]) -> SetParametersResult:
        for change in changes:
            parameter = known.get(change.name)
            if parameter is None:
                continue
            reason = parameter.problem(change.value)
            if not reason and not parameter.live and frozen():
                reason = f"{parameter.name} cannot be changed now: {frozen()}"
            if reason:
                return SetParametersResult(successful=False, reason=reason)
        if is_declared:
            changed = {change.name: change.value for change in changes if change.name in known}
            try:
                check_all({**values.by_name(), **changed})
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    node.declare_parameters(
        "",
        [(parameter.name, parameter.default, parameter.descriptor()) for parameter in rows],
    )
    check_all(values.by_name())
    is_declared = True
    return values


def help_text(about: str | None, table: type[ParameterTable]) -> str:
    """The text of --help: the module's docstring and the parameters with their defaults."""
    lines = [about or "", "parameters:"]
    for parameter in table.rows():
        lines.append(f"  {parameter.name} (default: {parameter.default!r})")
        text = parameter.description
        if parameter.choices:
            text = f"{text} [{', '.join(parameter.choices)}]"
        lines += textwrap.wrap(text, 96, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)
