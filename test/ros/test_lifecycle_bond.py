# SPDX-License-Identifier: Apache-2.0
"""A node that a lifecycle manager activated has a bond with it, where bondpy is installed."""

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import rclpy

from carla_unet_ros.ros.lifecycle import ManagedNode


class RecordedBond:
    """What is done with a bond of bondpy."""

    made: "list[RecordedBond]"

    def __init__(self, topic: str, id: str, node: ManagedNode) -> None:
        del node
        self.done: list[Any] = [topic, id]
        self.made.append(self)

    def set_heartbeat_period(self, seconds: float) -> None:
        self.done.append(seconds)

    def set_heartbeat_timeout(self, seconds: float) -> None:
        self.done.append(seconds)

    def start(self) -> None:
        self.done.append("started")

    def shutdown(self) -> None:
        self.done.append("shut down")


@pytest.fixture
def bonds(monkeypatch: pytest.MonkeyPatch) -> list[RecordedBond]:
    package: Any = ModuleType("bondpy")
    package.bondpy = SimpleNamespace(Bond=RecordedBond)
    monkeypatch.setitem(sys.modules, "bondpy", package)
    RecordedBond.made = []
    return RecordedBond.made


@pytest.fixture
def node(ros_domain: int) -> Iterator[ManagedNode]:
    del ros_domain
    rclpy.init()
    node = ManagedNode("small")
    yield node
    node.destroy_node()
    rclpy.shutdown()


def test_there_is_a_bond_from_activate_to_deactivate(
    node: ManagedNode, bonds: list[RecordedBond]
) -> None:
    node.trigger_configure()
    assert not bonds
    for _ in range(2):
        node.trigger_activate()
        assert bonds[-1].done == ["bond", "small", 0.1, 4.0, "started"]
        node.trigger_deactivate()
        assert bonds[-1].done[-1] == "shut down"
    assert len(bonds) == 2


def test_a_node_that_starts_itself_has_none(node: ManagedNode, bonds: list[RecordedBond]) -> None:
    node.start_soon()
    node.trigger_configure()
    node.trigger_activate()
    assert not bonds


def test_without_bondpy_the_node_is_active_all_the_same(
    node: ManagedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bondpy", None)
    node.trigger_configure()
    node.trigger_activate()
    assert node.state == "active"
