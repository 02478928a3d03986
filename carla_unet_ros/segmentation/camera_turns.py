"""Whose turn it is: the newest frame of each camera waits here for the one engine they share.

A frame that comes while an older one of its camera waits takes its place, so nothing is ever
queued. Served is the camera whose turn is longest ago: in an order that never changes, the first
camera would get most of an engine that is too slow for all.
"""

from typing import Generic, TypeVar

Camera = TypeVar("Camera")
Frame = TypeVar("Frame")


class CameraTurns(Generic[Camera, Frame]):
    """At most one frame waits for each camera. Knows no ROS."""

    def __init__(self) -> None:
        # In the order of turns: who was served moves to the end.
        self._newest: dict[Camera, Frame | None] = {}

    def join(self, camera: Camera) -> None:
        """From now on the camera has turns; it is the last in line."""
        self._newest[camera] = None

    def leave(self, camera: Camera) -> None:
        """The camera has no turns any more; a frame of it that waits is forgotten."""
        self._newest.pop(camera, None)

    def wait(self, camera: Camera, frame: Frame) -> None:
        """The frame waits in the place of an older one of its camera. KeyError before `join`."""
        if camera not in self._newest:
            raise KeyError(camera)
        self._newest[camera] = frame

    def __len__(self) -> int:
        """How many cameras have turns."""
        return len(self._newest)

    @property
    def waiting(self) -> bool:
        """Whether a frame waits."""
        return any(frame is not None for frame in self._newest.values())

    def take(self) -> tuple[Camera, Frame] | None:
        """A frame of the camera whose turn is longest ago, of those with one; None without any."""
        for camera, frame in self._newest.items():
            if frame is not None:
                del self._newest[camera]
                self._newest[camera] = None
                return camera, frame
        return None
