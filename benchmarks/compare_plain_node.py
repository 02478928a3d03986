"""From a camera message to the messages of labels and overlay, as people write such a node.

cv_bridge, cv2, a float tensor, the net in torch eager, argmax, cv2, cv_bridge: what tutorials
show, without their mistakes (palette by table, gradients off, batch norms at rest). It makes no
confidence, so it does a little less than this package's node.
"""

from typing import Any

import cv2
import numpy as np
import torch
from compare_contenders import Work
from compare_our_node import OPACITY, MessagePath, Messages
from compare_torch import net_of, use_all_cores
from sensor_msgs.msg import Image

from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.net.frame_graph import MEAN, STD
from carla_unet_ros.training.net.views import Views


class PlainNode(MessagePath):
    def __init__(self, work: Work) -> None:
        from cv_bridge import CvBridge

        use_all_cores()
        self._bridge: Any = CvBridge()
        self._net = Views(flips=work.flips).of(net_of(work))
        self._size = work.network_size
        self._palette = carla_13().palette_bgr
        self.software = f"torch {torch.__version__}"

    def run(self, fed: Image) -> Messages:
        image = self._bridge.imgmsg_to_cv2(fed, "bgr8")
        rgb = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), self._size)
        tensor = torch.from_numpy(rgb).permute(2, 0, 1).float().unsqueeze(0) / 255
        with torch.no_grad():
            logits = self._net((tensor - MEAN) / STD)
        small = logits.argmax(dim=1).squeeze(0).cpu().numpy().astype(np.uint8)
        size = image.shape[1], image.shape[0]
        labels = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)
        overlay = cv2.addWeighted(image, 1 - OPACITY, self._palette[labels], OPACITY, 0)
        return self._message(labels, "mono8", fed), self._message(overlay, "bgr8", fed)

    def _message(self, image: np.ndarray, encoding: str, fed: Image) -> Image:
        message = self._bridge.cv2_to_imgmsg(image, encoding)
        message.header = fed.header
        return message
