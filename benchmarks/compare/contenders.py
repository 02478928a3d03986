# SPDX-License-Identifier: Apache-2.0
"""The contenders, each in a process that keeps its memory and threads apart from the others.

Contenders in a group do the same work: from a frame's bytes to its labels, or from a camera
message to the messages of labels and overlay. The first of a group is the baseline: its time
divides the times of the others.
"""

import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.timing import timed
from carla_unet_ros.labels import Uint8

FRAMES = "camera frame to labels"
MESSAGES = "camera message to the messages of labels and overlay"


class Contender(NamedTuple):
    """name: on the command line; group: FRAMES or MESSAGES; title: in tables."""

    name: str
    group: str
    title: str


CONTENDERS = (
    Contender("shipped", FRAMES, "the shipped model, through the Segmenter"),
    Contender("eager", FRAMES, "same net, torch eager, fp32"),
    Contender("autocast", FRAMES, "same net, torch eager, bf16 autocast"),
    Contender("compile", FRAMES, "same net, torch.compile, fp32"),
    Contender("our_node", MESSAGES, "this package's node"),
    Contender("plain_node", MESSAGES, "a plain node: cv_bridge, torch, cv2"),
)
BASELINES = {FRAMES: "shipped", MESSAGES: "our_node"}

_PAUSE = 0.2
"""Seconds between two contenders: idle threads of a library may keep spinning for a while."""


class Skipped(Exception):
    """Raised for a contender that cannot run here; the text says why."""


@dataclass(frozen=True)
class Work:
    """Settings that every process gets.

    model:   the file that this package runs
    weights: fp32 file with the weights that torch runs, in the views of a frame that it names
    folder:  holds frames.npy uint8 [n, H, W, 4], BGRA; each contender writes NAME.npy to it, its
             labels of the first frame, uint8 [H, W]
    """

    model: Path
    weights: Path
    folder: Path

    @property
    def frames(self) -> Path:
        return self.folder / "frames.npy"

    def labels_of(self, name: str) -> Path:
        return self.folder / f"{name}.npy"


class FramePath:
    """One way from a frame to its labels; only `run` is timed.

    software: the library that runs the net, with its version
    """

    software: str

    def feed(self, frame: Uint8) -> Any:
        """Makes the input of `run` from a frame uint8 [H, W, 4], BGRA."""
        return frame

    def run(self, fed: Any) -> Any:
        raise NotImplementedError

    def labels(self, result: Any) -> Uint8:
        """The labels uint8 [H, W] in the result of `run`."""
        return result


class ShippedModel(FramePath):
    def __init__(self, work: Work) -> None:
        from carla_unet_ros.segmenter import Segmenter

        self._segmenter = Segmenter(work.model, "openvino")
        self.software = self._segmenter.engine.name

    def run(self, fed: Uint8) -> Uint8:
        return self._segmenter.segment(fed).labels


def build(name: str, work: Work) -> FramePath:
    """Builds a contender; imports only what it runs, as the rest would count as its memory."""
    if name == "shipped":
        return ShippedModel(work)
    if name.endswith("_node"):
        from benchmarks.compare import nodes

        return nodes.OurNode(work) if name == "our_node" else nodes.PlainNode(work)
    from benchmarks.compare import torch_nets

    if name in ("eager", "autocast"):
        return torch_nets.TorchPath(torch_nets.graph_of(work), autocast=name == "autocast")
    return torch_nets.compiled(work)


def serve(connection: Connection, name: str, work: Work) -> None:
    """The process of a contender, which runs one frame first.

    Sends {"software": ...} or {"skipped": reason}, then for each request the milliseconds of all
    frames.
    """
    frames = np.load(work.frames)
    try:
        path = build(name, work)
        feeds = [path.feed(frame) for frame in frames]
        np.save(work.labels_of(name), path.labels(path.run(feeds[0])))
    except (Skipped, ImportError) as error:
        connection.send({"skipped": str(error)})
        return
    connection.send({"software": path.software})
    while True:
        connection.recv()
        time.sleep(_PAUSE)
        connection.send(timed(path.run, feeds))
