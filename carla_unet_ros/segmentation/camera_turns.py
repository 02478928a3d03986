# SPDX-License-Identifier: Apache-2.0
"""Holds the newest frame of each camera, and says whose turn it is at the shared engine.

The cameras stand in a line. The first one in it that has a frame is served and goes to the end,
so all cameras are served equally often, however slow the engine is. At most one frame of a camera
waits: a newer one replaces it, so no queue builds up.
"""

from typing import Generic, TypeVar

Camera = TypeVar("Camera")
Frame = TypeVar("Frame")


class CameraTurns(Generic[Camera, Frame]):
    """The line of cameras, each with its waiting frame or None. It knows no ROS and no threads."""

    def __init__(self) -> None:
        self._line: dict[Camera, Frame | None] = {}

    def join(self, camera: Camera) -> None:
        """Puts the camera at the end of the line, without a frame."""
        self._line.pop(camera, None)
        self._line[camera] = None

    def leave(self, camera: Camera) -> None:
        """Removes the camera from the line, together with its waiting frame."""
        self._line.pop(camera, None)

    def has(self, camera: Camera) -> bool:
        """True between `join` and `leave`."""
        return camera in self._line

    def wait(self, camera: Camera, frame: Frame) -> bool:
        """Lets a frame wait. Returns whether it replaced an older one. KeyError before `join`."""
        replaced = self._line[camera] is not None
        self._line[camera] = frame
        return replaced

    def take(self) -> tuple[Camera, Frame] | None:
        """The next camera, which moves to the end of the line, and its frame; or None."""
        for camera, frame in self._line.items():
            if frame is not None:
                self.join(camera)
                return camera, frame
        return None

    @property
    def waiting(self) -> bool:
        """Returns whether a frame waits."""
        return any(frame is not None for frame in self._line.values())

    def is_first(self, camera: Camera) -> bool:
        """Returns whether the camera is first in line: no other can be served before it."""
        return next(iter(self._line), None) == camera

    def may_be_next(self, camera: Camera) -> bool:
        """Returns whether a frame of this camera that arrives now could be served next.

        It could not if a camera before it in line has a waiting frame.
        """
        for other, frame in self._line.items():
            if other == camera:
                return True
            if frame is not None:
                return False
        return True
