# SPDX-License-Identifier: Apache-2.0
"""The process of one contender: `python -m benchmarks.compare.worker NAME WORK`.

A separate process keeps its memory and threads apart from those of other libraries. It builds the
contender, runs one frame and answers; then it answers each line on standard input with the times
of all frames. Each answer is one line of JSON:

    {"software": ...} or {"skipped": reason}      once
    {"ms": [...], "peak_mb": ...}                 for each line of input

It ends when its input does, so it does not outlive the process that started it.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from benchmarks.compare.contenders import FramePath, Skipped, Work
from benchmarks.timing import timed
from carla_unet_ros.labels import Uint8


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


def peak_mb() -> float:
    """Peak memory of this process; getrusage would include that of its parent."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "Linux names it in /proc/self/status"
    return int(found[1]) * 1024 / 1e6


def serve(name: str, work: Work, requests: TextIO, replies: TextIO) -> None:
    def reply(answer: dict[str, Any]) -> None:
        replies.write(json.dumps(answer) + "\n")
        replies.flush()

    frames = np.load(work.frames)
    try:
        path = build(name, work)
        feeds = [path.feed(frame) for frame in frames]
        np.save(work.labels_of(name), path.labels(path.run(feeds[0])))
    except (Skipped, ImportError) as error:
        reply({"skipped": str(error)})
        return
    reply({"software": path.software})
    for _ in requests:
        reply({"ms": timed(path.run, feeds), "peak_mb": peak_mb()})


def main() -> None:
    # Output of libraries goes to standard error; standard output is for the answers.
    with os.fdopen(os.dup(1), "w") as replies:
        os.dup2(2, 1)
        serve(sys.argv[1], Work.from_json(sys.argv[2]), sys.stdin, replies)


if __name__ == "__main__":
    main()
