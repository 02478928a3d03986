"""Parameters of a node as a table: name, default, description, what is allowed.

ROS checks types and ranges by itself; choices and rules that need a sentence are checked here,
at the start and on every change, so `ros2 param set` answers with the reason.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

Value = str | bool | int | float | list[str]


def _accept(_: Any) -> None:
    return None


@dataclass(frozen=True)
class NodeParameter:
    """One parameter.

    choices:  the values allowed, where they can be listed
    range:    least and greatest value, for numbers
    check:    raises ValueError with a sentence for a value that makes no sense
    live:     may be changed at any time; others only while `frozen` below says so
    constant: may be set at the start alone
    """

    name: str
    default: Value
    description: str
    choices: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    check: Callable[[Any], object] = _accept
    live: bool = False
    constant: bool = False

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        if value is None:  # what ROS makes of an empty list
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


def declare(
    node: Node, table: Sequence[NodeParameter], frozen: Callable[[], str] = lambda: ""
) -> None:
    """Declares the parameters; a wrong value at the start raises a ParameterException.

    frozen: why parameters that are not `live` cannot be changed now; "" where they can be
    """
    known = {parameter.name: parameter for parameter in table}

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
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    node.declare_parameters(
        "",
        [(parameter.name, parameter.default, parameter.descriptor()) for parameter in table],
    )


def help_text(about: str | None, table: Sequence[NodeParameter]) -> str:
    """What --help says: the module's docstring and the parameters with their defaults."""
    lines = [about or "", "parameters:"]
    for parameter in table:
        lines.append(f"  {parameter.name} (default: {parameter.default!r})")
        text = parameter.description
        if parameter.choices:
            text = f"{text} [{', '.join(parameter.choices)}]"
        lines += textwrap.wrap(text, 96, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)
