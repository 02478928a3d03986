# SPDX-License-Identifier: Apache-2.0
"""Folders of small labelled frames in palette colours: a data set that needs no simulator."""

from pathlib import Path

import numpy as np

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.training.data.folders import write_pair


def write(folder: Path, count: int, width: int = 96, height: int = 64) -> Path:
    """Pairs 000, 001, ...: sky over road, and a block of another class somewhere."""
    for index in range(count):
        labels = painted_labels(index, width, height)
        write_pair(folder, f"{index:03}", carla_13().palette_bgr[labels], labels)
    return folder


def painted_labels(index: int, width: int = 96, height: int = 64) -> Uint8:
    random = np.random.default_rng(index)
    labels = np.zeros((height, width), np.uint8)
    labels[height // 2 :] = carla_13().ids(["Roads"])[0]
    top, left = random.integers(0, height - 16), random.integers(0, width - 24)
    labels[top : top + 16, left : left + 24] = random.integers(1, 13)
    return labels
