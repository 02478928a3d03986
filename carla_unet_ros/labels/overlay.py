# SPDX-License-Identifier: Apache-2.0
"""The overlay: a frame with the colour of each pixel's class over it."""

import cv2
import numpy as np

from carla_unet_ros.labels import Uint8


def draw_overlay(frame: Uint8, labels: Uint8, palette_bgr: Uint8, opacity: float = 0.5) -> Uint8:
    """The overlay of a frame: (1 - opacity) x frame + opacity x colour of the class.

    frame:       uint8 [H, W, 3 or 4], B, G, R(, A)
    labels:      uint8 [H, W]
    palette_bgr: uint8 [256, 3], as `LabelSet.palette_bgr`
    opacity:     0..1; 0 gives the frame, 1 the colours alone

    Returns uint8 [H, W, 3], B, G, R. ValueError where frame and labels differ in size.
    """
    if frame.shape[:2] != labels.shape:
        raise ValueError(f"frame is {frame.shape[:2]}, labels are {labels.shape}")
    bare = cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR) if frame.shape[2] == 4 else frame
    # OpenCV's only lookup from one channel to three; it takes one pass.
    colours = cv2.applyColorMap(labels, palette_bgr.reshape(256, 1, 3))
    return np.asarray(
        cv2.addWeighted(bare, 1 - opacity, colours, opacity, 0, dst=colours), np.uint8
    )
