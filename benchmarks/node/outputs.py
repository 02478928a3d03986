# SPDX-License-Identifier: Apache-2.0
"""Measures how late each output comes, raw or compressed, and what its nodes cost.

    python -m benchmarks.node.outputs [--document]

The stand-in camera's drive, segmentation_node and the node of the output run as processes. Late is
counted from the camera_info of a frame, which comes with it, to the output of the same stamp.
"""

import math
import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tqdm import tqdm

from benchmarks.listening import Listener, stamp_of
from benchmarks.processes import use_own_domain
from benchmarks.reporting import Benchmark, Report, Results, section, table
from benchmarks.timing import spread, timed
from benchmarks.transport.cases import LARGE_FRAMES
from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.cloud.semantic_cloud import ALL, SemanticCloud, class_table
from carla_unet_ros.demo.node_processes import NodeProcesses
from carla_unet_ros.labels import carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_topics import CameraTopics

CAMERA = CameraTopics("/carla/ego_vehicle/rgb_front/image")
OUTPUTS = {
    "labels": (Image, None),
    "labels/compressed": (CompressedImage, None),
    "confidence/compressed": (CompressedImage, None),
    "overlay": (Image, None),
    "overlay/compressed": (CompressedImage, None),
    "semantic_cloud": (PointCloud2, "cloud.semantic_cloud_node"),
    "ground_grid": (OccupancyGrid, "ground.ground_grid_node"),
}
_CAMERA: dict[str, str] = {}
_SEGMENTATION: dict[str, str] = {}
_HEADS = (
    "output | messages/s | age, ms: median | 95 % | MB a message | "
    "segmentation_node: % of one core | its own node: % of one core"
)
_EXPLANATION = """\
The drawn drive at 10 Hz, 800x600; all processes share the cores, and Fast DDS reads
`config/fastdds_shm.xml`. The age is from the frame to its output. To compute the points of a frame
takes {cloud_ms:.1f} ms of CPU time (median); the rest is taking images and publishing."""


@dataclass(frozen=True, kw_only=True)
class Options(Report):
    """Measure how late each output for planners comes, and what its nodes cost."""

    seconds: float = 20.0  # counted for each output


def measured(options: Options) -> Results:
    use_own_domain()
    os.environ.update(LARGE_FRAMES)
    cases = [measured_output(output, options.seconds) for output in tqdm(OUTPUTS, "outputs")]
    return {"cases": cases, "cloud_ms": cloud_ms()}


def described(results: Results) -> str:
    rows = [list(case.values()) for case in results["cases"]]
    text = _EXPLANATION.format(**results)
    return section("What each output costs", results, text, table(_HEADS, rows))


def measured_output(output: str, seconds: float) -> dict[str, object]:
    """Rate, age, size and CPU time of one output, after its first message."""
    kind, own = OUTPUTS[output]
    sent: dict[int, int] = {}
    received: dict[int, int] = {}
    size = 0

    # The middleware's own times: callbacks of one thread come late, and in any order.
    def came_in(info: CameraInfo, times: dict[str, Any]) -> None:
        sent[stamp_of(info)] = times["source_timestamp"]

    def came_out(message: Any, times: dict[str, Any]) -> None:
        nonlocal size
        size = len(message.data)
        received[stamp_of(message)] = times["received_timestamp"]

    with NodeProcesses() as processes, closing(Listener("outputs")) as listener:
        # rclpy hands a callback of two arguments the message's times too; its types do not say so.
        subscribe: Any = listener.node.create_subscription
        subscribe(CameraInfo, CAMERA.camera_info, came_in, 10)
        subscribe(kind, CAMERA.output(output), came_out, 1)
        processes.start("stand_in.camera_node", seed="4", rate="10.0", **_CAMERA)
        processes.start("segmentation.segmentation_node", **_SEGMENTATION)
        if own:
            processes.start(own)
        while not sent.keys() & received.keys():  # both topics are discovered
            processes.check()
            listener.spin(0.1)
        received.clear()
        took, shares = listener.watch(seconds, processes.pids[1:])
    used = [f"{100 * share:.0f}" for share in shares]
    ages = [(end - sent[stamp]) / 1e6 for stamp, end in received.items() if stamp in sent]
    return {
        "output": output,
        "hz": len(received) / took,
        **spread(ages or [math.nan]),
        "mb": size / 1e6,
        "segmentation": used[0],
        "own": used[1] if own else None,
    }


def cloud_ms() -> float:
    """Median milliseconds of CPU time for the points of a frame of 800x600."""
    cv2.setNumThreads(1)
    cloud = SemanticCloud(Calibration(800, 600, 400.0, 400.0, 400.0, 300.0))
    table = class_table(Legend(carla_13(), carla_13(), "", ""), [ALL])
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(carla_13()), (600, 800), np.uint8)
    depth = rng.uniform(1, 100, labels.shape).astype(np.float32)
    fill = partial(cloud.fill, labels, labels, depth, table)
    return spread(timed(fill, [60.0] * 100, time.thread_time))["median_ms"]


main = Benchmark("node.outputs", Options, measured, described).main

if __name__ == "__main__":
    sys.exit(main())
