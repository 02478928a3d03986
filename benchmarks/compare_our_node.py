"""From a camera message to the messages of labels and overlay, as this package's node goes.

It starts from a bgra8 sensor_msgs/Image and ends with two, mono8 labels and a bgr8 overlay. What
the middleware takes to carry them is not in it. No torch is imported: the node has none.
"""

from compare_contenders import FramePath, Work
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from carla_unet_ros.labels import Uint8
from carla_unet_ros.labels.overlay import draw_overlay
from carla_unet_ros.ros.frame_memory import keep_freed_memory
from carla_unet_ros.ros.image_messages import label_ids, to_bgra, to_image_message
from carla_unet_ros.segmenter import Segmenter

OPACITY = 0.5

Messages = tuple[Image, Image]
"""Labels mono8 and overlay bgr8."""


class MessagePath(FramePath):
    def feed(self, frame: Uint8) -> Image:
        return to_image_message(frame, "bgra8", Header(frame_id="camera"))

    def run(self, fed: Image) -> Messages:
        raise NotImplementedError

    def labels(self, result: Messages) -> Uint8:
        return label_ids(result[0])


class OurNode(MessagePath):
    """What segmentation_node does between taking a frame and publishing."""

    def __init__(self, work: Work) -> None:
        keep_freed_memory()
        self._segmenter = Segmenter(work.model, "openvino")
        self._palette = self._segmenter.model.label_set.palette_bgr
        self.software = self._segmenter.engine.name

    def run(self, fed: Image) -> Messages:
        frame = to_bgra(fed)
        labels = self._segmenter.segment(frame).labels
        overlay = draw_overlay(frame, labels, self._palette, OPACITY)
        return (
            to_image_message(labels, "mono8", fed.header),
            to_image_message(overlay, "bgr8", fed.header),
        )
