# SPDX-License-Identifier: Apache-2.0
"""Depth images as CARLA sends them: metres ahead of the camera, not along the ray of the pixel.

    CARLA's ROS bridge            32FC1   metres
    CARLA's own ROS 2 interface   bgra8   a code of 24 bits in the colours; 1000 m at most

The code: metres = 1000 (R + 256 G + 65536 B) / (256^3 - 1), as in CARLA's reference of
sensor.camera.depth. Its step is 0.06 mm.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from carla_unet_ros.camera_model import FARTHEST_DEPTH, LARGEST_FRAME
from carla_unet_ros.labels import Uint8
from carla_unet_ros.ros.image_messages import BadFrame, pixel_rows, to_image_message

if TYPE_CHECKING:
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

Metres = npt.NDArray[np.float32]

_CODES = 256**3 - 1


def to_depth(message: "Image") -> Metres:
    """Metres float32 [height, width], a view of the message where it holds metres.

    Raises BadFrame for an encoding other than 32FC1 and bgra8.
    """
    if message.encoding == "bgra8":
        rows = pixel_rows(message, 4, LARGEST_FRAME)
        return decode_depth(rows.reshape(message.height, message.width, 4))
    if message.encoding != "32FC1":
        raise BadFrame(
            f"the depth image is {message.encoding}; expected 32FC1 (metres, CARLA's bridge) or "
            "bgra8 (CARLA's coded depth)"
        )
    kind = np.dtype(">f4" if message.is_bigendian else "<f4")
    metres = pixel_rows(message, kind.itemsize, LARGEST_FRAME).view(kind)
    return metres.astype(np.float32, copy=False)


def to_depth_message(metres: Metres, header: "Header") -> "Image":
    """Metres float32 [H, W] -> a message 32FC1, rows without padding."""
    from sensor_msgs.msg import Image

    height, width = metres.shape
    message = Image(header=header, height=height, width=width, encoding="32FC1", step=4 * width)
    message.data.frombytes(np.ascontiguousarray(metres, "<f4").data.cast("B"))
    return message


def to_coded_message(metres: Metres, header: "Header") -> "Image":
    """Metres float32 [H, W] -> a message bgra8 in CARLA's code."""
    return to_image_message(encode_depth(metres), "bgra8", header)


def decode_depth(image: Uint8) -> Metres:
    """Coded image uint8 [H, W, 4], B, G, R, A -> metres float32 [H, W]."""
    words = np.ascontiguousarray(image).view(">u4")[..., 0]
    codes = (words.astype(np.uint32) >> 8).view(np.int32)
    return codes.astype(np.float32) * np.float32(FARTHEST_DEPTH / _CODES)


def encode_depth(metres: Metres) -> Uint8:
    """Metres float32 [H, W] -> coded image uint8 [H, W, 4], at most FARTHEST_DEPTH."""
    share = np.clip(metres.astype(np.float64) / FARTHEST_DEPTH, 0, 1)
    codes = np.rint(share * _CODES).astype(np.uint32)
    return (codes << 8 | 255).astype(">u4")[..., np.newaxis].view(np.uint8)
