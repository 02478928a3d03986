# SPDX-License-Identifier: Apache-2.0
"""Hands the frames of all cameras to the engine, one at a time and in turns.

The callback of a subscription lets its frame wait in `CameraTurns`. A step takes the frame whose
turn it is and segments it. The step is a guard condition of the node: it runs when a frame waits,
and costs nothing while none does.

rclpy takes a frame out of the middleware before it calls the callback, which costs a millisecond
for 1.9 MB. If every camera replaced its frame before each turn, the node would pay this for each
camera and segment only one of them. So the rules are:

- While a frame waits, the subscriptions of the cameras behind it in line are closed. Their frames
  stay in the middleware's queue of one, where a newer one replaces an older one at no cost.
- The subscriptions of the camera whose turn it is and of the cameras before it are open. The
  executor serves subscriptions before guard conditions. So the step segments the newest frame
  there is, not one that became old while another camera's was segmented.
- A frame of the first camera in line is segmented at once if no frame waits. So a single camera
  never waits for a step, and cameras whose frames come in the order of the line do not either.

An idle engine takes every frame once. An overloaded engine takes at most two frames for each
frame that it segments: a first one, and a newer one that replaced it.
"""

from collections.abc import Callable
from typing import Protocol

from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from carla_unet_ros.segmentation.camera_input import Frame
from carla_unet_ros.segmentation.camera_turns import CameraTurns


class Camera(Protocol):
    """A camera whose frames are dispatched."""

    def segment(self, frame: Frame) -> None: ...


class FrameDispatcher:
    """The turns of a node's cameras. All of it runs in the thread that spins the node."""

    def __init__(self, node: Node) -> None:
        self._turns = CameraTurns[Camera, Frame]()
        self._frame_waits = node.create_guard_condition(self._step)

    def join(self, camera: Camera) -> None:
        """Gives the camera turns from now on. It is last in line at first."""
        self._turns.join(camera)

    def leave(self, camera: Camera) -> None:
        """Gives the camera no more turns, and drops its waiting frame."""
        self._turns.leave(camera)

    def has(self, camera: Camera) -> bool:
        """True between `join` and `leave`."""
        return self._turns.has(camera)

    def subscription_group(self, camera: Camera) -> CallbackGroup:
        """The callback group for the subscription of the camera's frames."""
        return _OpenGroup(lambda: self.is_open(camera))

    def is_open(self, camera: Camera) -> bool:
        """True if the camera's frames are taken from the middleware as they arrive."""
        return self._turns.may_be_next(camera)

    def dispatch(self, camera: Camera, frame: Frame) -> bool:
        """Lets the camera segment the frame, now or in its turn.

        Returns whether the frame replaced an older one, which will not be segmented. KeyError
        before `join`.
        """
        at_once = self._turns.is_first(camera) and not self._turns.waiting
        replaced = self._turns.wait(camera, frame)
        if at_once:
            self._step()
        else:
            self._frame_waits.trigger()
        return replaced

    def _step(self) -> None:
        """Segments the frame whose turn it is."""
        turn = self._turns.take()
        if self._turns.waiting:  # first, or an error would keep the others waiting
            self._frame_waits.trigger()
        if turn is not None:
            camera, frame = turn
            camera.segment(frame)


class _OpenGroup(MutuallyExclusiveCallbackGroup):
    """A callback group that the executor passes over while it is not open."""

    def __init__(self, is_open: Callable[[], bool]) -> None:
        super().__init__()
        self._is_open = is_open

    def can_execute(self, entity: object) -> bool:
        return self._is_open() and super().can_execute(entity)
