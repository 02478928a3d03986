"""One camera from its frames to its masks.

While nobody subscribes to labels, confidence or overlay its frames are not subscribed either. A
frame that comes waits for its turn (camera_turns.py), is segmented, and what is wanted of it is
published (camera_outputs.py).
"""

from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from carla_unet_ros.engines import EngineError
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.frame_clock import FrameClock
from carla_unet_ros.ros.image_messages import BadFrame, to_bgra
from carla_unet_ros.segmentation.camera_input import CameraInput, Frame
from carla_unet_ros.segmentation.camera_outputs import CameraOutputs
from carla_unet_ros.segmentation.camera_status import CameraState
from carla_unet_ros.segmentation.camera_turns import CameraTurns
from carla_unet_ros.segmentation.frame_statistics import FrameStatistics
from carla_unet_ros.segmenter import Segmenter

_SECONDS_BETWEEN_WARNINGS = 5.0

WaitingFrame = tuple[Frame, int | None]
"""A frame, and the number its publisher gave it."""


class CameraStream:
    """Made with `node` and gone with `close`; between `activate` and `deactivate` it may listen.

    opacity: of the overlay, 0..1, asked at every frame
    turns:   where its frames wait
    step:    called when a frame waits; serves whose turn it is, at once or soon
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        reliability: str,
        segmenter: Segmenter,
        legend: Legend,
        clock: FrameClock,
        opacity: Callable[[], float],
        turns: "CameraTurns[CameraStream, WaitingFrame]",
        step: Callable[[], None],
    ) -> None:
        self.statistics = FrameStatistics()
        self._topic = node.resolve_topic_name(topics.image)
        self._node = node
        self._reliability = reliability
        self._segmenter = segmenter
        self._clock = clock
        self._log = node.get_logger().get_child(topics.image.strip("/~").replace("/", "."))
        self._active = False
        self._size: tuple[int, int] | None = None
        self._turns = turns
        self._step = step
        self._input = CameraInput(
            node, topics, reliability, self._on_frame, self.statistics.listen
        )
        self._outputs = CameraOutputs(node, topics, legend, opacity, self._follow_subscribers)

    def activate(self) -> None:
        """Publishes what the ids mean, then listens as soon as somebody wants the masks."""
        self._outputs.announce()
        self._active = True
        self._follow_subscribers()

    def deactivate(self) -> None:
        self._active = False
        self._follow_subscribers()

    def close(self) -> None:
        self.deactivate()
        self._outputs.close()

    def state(self) -> CameraState:
        return CameraState(
            topic=self._topic,
            listening=self._input.listens,
            publishers=self._node.count_publishers(self._topic),
            incompatible=self._input.incompatible,
            reliability=self._reliability,
            size=self._size,
        )

    def segment(self, message: Frame, number: int | None) -> None:
        """Publishes what is wanted of a frame; where it is unusable, counts it and says why."""
        stamp = message.header.stamp
        self.statistics.arrived(number, self._clock.age_ms(stamp))
        if not self._outputs.wanted:
            return
        try:
            frame = to_bgra(message)
            segmentation = self._segmenter.segment(frame)
        except BadFrame as problem:
            self.statistics.bad(str(problem))
            self._log.warning(
                f"frame skipped: {problem}", throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS
            )
        except EngineError as problem:
            self.statistics.failed(str(problem))
            self._log.error(str(problem), throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS)
        else:
            self._size = frame.shape[1], frame.shape[0]
            self._outputs.publish(message.header, frame, segmentation, self._calibration())
            self.statistics.published(self._clock.age_ms(stamp))

    def _on_frame(self, message: Frame, number: int | None) -> None:
        self._turns.wait(self, (message, number))
        self._step()

    def _follow_subscribers(self) -> None:
        """Listens to the camera exactly while active and while somebody wants an image."""
        wanted = self._active and self._outputs.wanted
        if wanted and not self._input.listens:
            self._turns.join(self)
            self._input.listen()
        elif not wanted:
            self._input.stop()
            self._turns.leave(self)

    def _calibration(self) -> CameraInfo | None:
        """The newest camera_info, if it is of the frame's size."""
        info = self._input.calibration
        if info is None or (info.width, info.height) == self._size:
            return info
        self._log.warning(
            f"camera_info is for {info.width}x{info.height}, frames are "
            f"{'x'.join(map(str, self._size or ()))}: not relayed",
            throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS,
        )
        return None
