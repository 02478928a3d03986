# SPDX-License-Identifier: Apache-2.0
"""The bond by which Nav2's lifecycle manager sees that a node which it activated is alive.

    bond   bond/Status, a heartbeat ten times a second, both ways

The library bondpy does it. It is imported only here, and a node runs without it, too.
"""

from typing import Any, Protocol

from rclpy.node import Node

# As Nav2's own nodes have them.
_SECONDS_BETWEEN_BEATS, _SECONDS_TO_LIVE = 0.1, 4.0


class Bond(Protocol):
    def shutdown(self) -> None: ...


def form_bond(node: Node) -> Bond | None:
    """A bond that waits for the manager's; None where bondpy is not installed."""
    try:
        from bondpy import bondpy  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    bond: Any = bondpy.Bond(topic="bond", id=node.get_name(), node=node)
    bond.set_heartbeat_period(_SECONDS_BETWEEN_BEATS)
    bond.set_heartbeat_timeout(_SECONDS_TO_LIVE)
    bond.start()
    return bond
