# SPDX-License-Identifier: Apache-2.0
"""Lists the contenders and defines the work of their processes.

Contenders in a group do the same work: from a frame's bytes to its labels, or from a camera
message to the messages of labels and overlay. The first of a group is the baseline: its time
divides the times of the others.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

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

    model: str
    weights: str
    folder: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Work":
        return Work(**json.loads(text))

    @property
    def frames(self) -> Path:
        return Path(self.folder) / "frames.npy"

    def labels_of(self, name: str) -> Path:
        return Path(self.folder) / f"{name}.npy"


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
