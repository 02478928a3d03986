# SPDX-License-Identifier: Apache-2.0
"""Two ways from a camera message to the messages of labels and overlay: this package's node and
a node as people usually write it.

Both turn a bgra8 sensor_msgs/Image into two, mono8 labels and a bgr8 overlay. Transport by the
middleware is not timed. OurNode imports no torch.
"""

from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from benchmarks.compare.contenders import FramePath, Work
from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.labels.overlay import draw_overlay
from carla_unet_ros.model_file import read_model
from carla_unet_ros.ros.frame_memory import keep_freed_memory
from carla_unet_ros.ros.image_messages import label_ids, to_bgra, to_image_message
from carla_unet_ros.segmenter import Segmenter

OPACITY = 0.5


class MessagePath(FramePath):
    def feed(self, frame: Uint8) -> Image:
        return to_image_message(frame, "bgra8", Header(frame_id="camera"))

    def labels(self, result: tuple[Image, Image]) -> Uint8:
        return label_ids(result[0])


class OurNode(MessagePath):
    """The work of segmentation_node between taking a frame and publishing."""

    def __init__(self, work: Work) -> None:
        keep_freed_memory()
        self._segmenter = Segmenter(work.model, "openvino")
        self._palette = self._segmenter.model.label_set.palette_bgr
        self.software = self._segmenter.engine.name

    def run(self, fed: Image) -> tuple[Image, Image]:
        frame = to_bgra(fed)
        labels = self._segmenter.segment(frame).labels
        overlay = draw_overlay(frame, labels, self._palette, OPACITY)
        return (
            to_image_message(labels, "mono8", fed.header),
            to_image_message(overlay, "bgr8", fed.header),
        )


class PlainNode(MessagePath):
    """cv_bridge, cv2, a float tensor, the net in torch eager, argmax, cv2, cv_bridge.

    It follows the tutorials without their mistakes: palette by lookup table, no gradients, batch
    norms in eval mode. It makes no confidence, so it does slightly less than this package's node.
    """

    def __init__(self, work: Work) -> None:
        import torch
        from cv_bridge import CvBridge

        from benchmarks.compare.torch_nets import graph_of

        graph = graph_of(work)
        self._bridge: Any = CvBridge()
        self._run_net: Any = torch.inference_mode()(lambda planes: graph.net(planes))
        self._to_tensor: Any = torch.from_numpy
        self._size = read_model(work.weights).metadata.network_size
        self._palette = carla_13().palette_bgr
        self.software = f"torch {torch.__version__}"

    def run(self, fed: Image) -> tuple[Image, Image]:
        from carla_unet_ros.training.net.frame_graph import MEAN, STD

        image = self._bridge.imgmsg_to_cv2(fed, "bgr8")
        # A folded net also takes the alpha channel, with zero weights.
        bgra = cv2.cvtColor(cv2.resize(image, self._size), cv2.COLOR_BGR2BGRA)
        tensor = self._to_tensor(bgra).permute(2, 0, 1).float().unsqueeze(0) / 255
        logits = self._run_net((tensor - MEAN) / STD)
        small = logits.argmax(dim=1).squeeze(0).cpu().numpy().astype(np.uint8)
        size = image.shape[1], image.shape[0]
        labels = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)
        overlay = cv2.addWeighted(image, 1 - OPACITY, self._palette[labels], OPACITY, 0)
        return self._message(labels, "mono8", fed), self._message(overlay, "bgr8", fed)

    def _message(self, image: np.ndarray, encoding: str, fed: Image) -> Image:
        message = self._bridge.cv2_to_imgmsg(image, encoding)
        message.header = fed.header
        return message
