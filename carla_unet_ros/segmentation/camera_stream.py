# SPDX-License-Identifier: Apache-2.0
"""Connects one camera's input, outputs and statistics: from its frames to its masks.

A frame comes in (camera_input.py), waits for its turn (frame_dispatcher.py) and is segmented. The
outputs that have subscribers are published (camera_outputs.py). While labels, confidence and
overlay have no subscriber, the node does not subscribe to the camera either.

While the engine is prepared for frames of this camera's size (engine_preparation.py), the camera
has no place in the line. Its frames are counted and dropped; only the newest is kept, and has its
turn when the engine is ready.
"""

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from carla_unet_ros.camera_model import Size
from carla_unet_ros.engines import EngineError
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.frame_clock import FrameClock
from carla_unet_ros.ros.image_messages import BadFrame, frame_size, to_bgra
from carla_unet_ros.segmentation.camera_input import CameraInput, Frame
from carla_unet_ros.segmentation.camera_outputs import CameraOutputs
from carla_unet_ros.segmentation.camera_status import camera_status
from carla_unet_ros.segmentation.engine_preparation import EnginePreparation
from carla_unet_ros.segmentation.frame_dispatcher import FrameDispatcher
from carla_unet_ros.segmentation.frame_statistics import FrameStatistics

_SECONDS_BETWEEN_WARNINGS = 5.0


class CameraStream:
    """One camera of the node. It listens only between `activate` and `deactivate`.

    most_pixels: larger frames are refused
    opacity:     returns the overlay's opacity, 0..1; called for every frame
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        reliability: str,
        preparation: EnginePreparation,
        most_pixels: int,
        legend: Legend,
        clock: FrameClock,
        dispatcher: FrameDispatcher,
        opacity: Callable[[], float],
    ) -> None:
        self._preparation = preparation
        self._most_pixels = most_pixels
        self._clock = clock
        self._dispatcher = dispatcher
        self._log = node.get_logger().get_child(topics.image.strip("/~").replace("/", "."))
        self._active = False
        self._size: Size | None = None  # of the newest frame
        # The newest frame, while the engine is not ready for its size.
        self._waiting: tuple[Frame, Size] | None = None
        self._statistics = FrameStatistics()
        self._input = CameraInput(
            node,
            topics,
            reliability,
            self._log,
            dispatcher.subscription_group(self),
            self._on_frame,
            self._statistics.listen,
            self._expect,
        )
        self._outputs = CameraOutputs(
            node, topics, legend, self._log, opacity, self._follow_subscribers
        )

    def activate(self) -> None:
        """Publishes what the ids mean, then listens as soon as somebody wants the masks."""
        self._outputs.announce()
        self._active = True
        self._input.ask_size()
        self._follow_subscribers()

    def deactivate(self) -> None:
        self._active = False
        self._input.stop_asking()
        self._follow_subscribers()

    def close(self) -> None:
        self.deactivate()
        self._outputs.close()

    def status(self, node: str) -> DiagnosticStatus:
        """Builds the camera's status since the last one; node: the name in the status."""
        if not self._dispatcher.is_open(self):
            self._statistics.held_back()
        state = self._input.state()
        if self._waiting is not None:
            state = state._replace(waits_for=self._preparation.progress())
        elif self._size is not None:
            state = state._replace(failure=self._preparation.failure(self._size))
        return camera_status(node, state, self._statistics.report())

    def resume(self) -> None:
        """Segments the frame that waits for the engine, where that is ready or has failed."""
        if self._waiting is not None:
            frame, size = self._waiting
            self._waiting = None
            self._statistics.waited()
            self._admit(frame, size)

    def segment(self, frame: Frame) -> None:
        """Segments a frame and publishes its outputs; counts an unusable frame and logs why."""
        self._statistics.began(self._clock.age_ms(frame.header.stamp))
        if not self._outputs.wanted:
            return
        try:
            self._segment(frame)
        except BadFrame as problem:
            self._refuse(problem)
        except EngineError as problem:
            self._fail(str(problem))

    def _segment(self, frame: Frame) -> None:
        pixels = to_bgra(frame, self._most_pixels)
        found = self._preparation.segmenter.segment(pixels)
        self._outputs.publish(frame.header, pixels, found, self._input.calibration)
        height, width, _ = pixels.shape
        self._statistics.published(self._clock.age_ms(frame.header.stamp), (width, height))

    def _on_frame(self, frame: Frame, number: int | None) -> None:
        self._statistics.arrived(number)
        try:
            size = frame_size(frame, self._most_pixels)
        except BadFrame as problem:
            self._statistics.began(self._clock.age_ms(frame.header.stamp))
            self._refuse(problem)
        else:
            self._admit(frame, size)

    def _admit(self, frame: Frame, size: Size) -> None:
        """Lets the frame wait for its turn, or for the engine."""
        self._size = size
        if self._preparation.is_ready(size):
            self._waiting = None
            if not self._dispatcher.has(self):
                self._dispatcher.join(self)
            if self._dispatcher.dispatch(self, frame):
                self._statistics.replaced()
            return
        self._dispatcher.leave(self)
        if failure := self._preparation.failure(size):
            self._waiting = None
            self._statistics.began(self._clock.age_ms(frame.header.stamp))
            self._fail(failure)
        else:
            self._waiting = frame, size
            self._statistics.waits()

    def _expect(self, size: Size) -> None:
        """Has the engine prepared for the size that camera_info gives, before the first frame."""
        if self._size is None and 0 < size.width * size.height <= self._most_pixels:
            self._preparation.is_ready(size)

    def _refuse(self, problem: BadFrame) -> None:
        self._statistics.bad(str(problem))
        self._log.warning(
            f"frame skipped: {problem}", throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS
        )

    def _fail(self, problem: str) -> None:
        self._statistics.failed(problem)
        self._log.error(problem, throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS)

    def _follow_subscribers(self) -> None:
        """Listens to the camera exactly while active and while somebody wants an image."""
        wanted = self._active and self._outputs.wanted
        if wanted and not self._input.listens:
            self._dispatcher.join(self)
            self._input.listen()
        elif not wanted:
            self._input.stop()
            self._dispatcher.leave(self)
            self._waiting = None
