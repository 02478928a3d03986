# SPDX-License-Identifier: Apache-2.0
"""A drawn drive as it lies in a bag, and what carla_unet_from_bag makes of it."""

import json
from pathlib import Path

import cv2
import numpy as np
from bag_writing import LABELS, RGB, Recorded

from carla_unet_ros.labels import Uint8, carla_label_set
from carla_unet_ros.training.from_bag import main

TICK = 50_000_000


NEW = carla_label_set("0.9.16")


OLD = carla_label_set("0.9.13")


HEIGHT, WIDTH = 24, 40


def frame(number: int) -> Uint8:
    return np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)


def tags(number: int, classes: int = 29) -> Uint8:
    """Every class somewhere, another picture for each number."""
    places = np.arange(HEIGHT * WIDTH, dtype=np.int64) + number
    return (places % classes).astype(np.uint8).reshape(HEIGHT, WIDTH)


def palette(ids: Uint8, labels=NEW) -> Uint8:
    alpha = np.full((*ids.shape, 1), 255, np.uint8)
    return np.concatenate((labels.palette_bgr[ids], alpha), axis=2)


def raw_red(ids: Uint8) -> Uint8:
    image = np.zeros((*ids.shape, 4), np.uint8)
    image[..., 2] = ids
    image[..., 3] = 255
    return image


def drive(count: int, labels=NEW) -> list[Recorded]:
    """Frames and palette labels of `count` ticks from 3 s on, in the bridge's order."""
    images = []
    for number in range(count):
        stamp = 3_000_000_000 + number * TICK
        images.append(Recorded(RGB, stamp, frame(number)))
        images.append(Recorded(LABELS, stamp, palette(tags(number, len(labels)), labels)))
    return images


def read(path: Path) -> Uint8:
    """A file as it is, channels and all."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return np.asarray(image, np.uint8)


def convert(bag: Path, out: Path, *options: str) -> dict:
    assert main([str(bag), "--out", str(out), *options]) == 0
    return json.loads((out / "report.json").read_text())
