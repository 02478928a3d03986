# SPDX-License-Identifier: Apache-2.0
"""Switches CARLA's worlds to synchronous mode, and restores them afterwards.

In synchronous mode the simulation waits for the tick of one client, and the traffic manager must
be in the same mode as the world (CARLA's documentation, "Synchrony and time-step"). If a client
ends and leaves a world in that mode, the world stands still for all other clients.
"""

import sys
from types import TracebackType
from typing import Any


class SynchronousWorlds:
    """A context in which this client ticks. It restores the previous settings at its end."""

    def __init__(self, client: Any, ticks_per_second: float, traffic_port: int) -> None:
        self._client = client
        self._ticks_per_second = ticks_per_second
        self._traffic_port = traffic_port
        self._found: Any = None

    def __enter__(self) -> "SynchronousWorlds":
        self._found = self._client.get_world().get_settings()
        if self._found.synchronous_mode:
            print(
                "the simulator is in synchronous mode already: if another client ticks it (the "
                "bridge, say), end that one, for only one may",
                file=sys.stderr,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._put_back()
        except RuntimeError as problem:
            print(f"the simulator's settings could not be put back: {problem}", file=sys.stderr)
            if error is None:
                raise

    def open(self, town: str | None) -> tuple[Any, Any]:
        """World and traffic manager of a town, or of the one there is; both synchronous."""
        world = self._client.get_world()
        if town and world.get_map().name.rpartition("/")[2] != town:
            # Restore the settings first: the old world must not wait for our ticks.
            self._put_back()
            world = self._client.load_world(town)
        settings = world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = 1.0 / self._ticks_per_second
        world.apply_settings(settings)
        traffic = self._client.get_trafficmanager(self._traffic_port)
        traffic.set_synchronous_mode(True)
        return world, traffic

    def _put_back(self) -> None:
        self._client.get_trafficmanager(self._traffic_port).set_synchronous_mode(False)
        self._client.get_world().apply_settings(self._found)
