# SPDX-License-Identifier: Apache-2.0
"""Measures how late each output comes, raw or compressed, and what its nodes cost.

    python -m benchmarks.node.outputs [--document]

The stand-in camera's drive, segmentation_node and the node of the output run as processes. Late is
counted from the camera_info of a frame, which comes with it, to the output of the same stamp.
"""

import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tqdm import tqdm

from benchmarks import reporting
from benchmarks.timing import spread
from benchmarks.transport.cases import XML
from benchmarks.transport.receiver import usage
from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.cloud.semantic_cloud import ALL, SemanticCloud, class_table
from carla_unet_ros.demo.node_processes import NodeProcesses, free_domain
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
_HEADS = ("output", "messages/s", "age, ms: median", "95 %", "MB a message",
          "segmentation_node: % of one core", "its own node: % of one core")  # fmt: skip
_EXPLANATION = """\
The drawn drive at 10 Hz, 800x600; all processes share the cores, and Fast DDS reads
`config/fastdds_shm.xml`. The age is from the frame to its output. To compute the points of a frame
takes {cloud_ms:.1f} ms of CPU time (median); the rest is taking images and publishing."""


def main(argv: list[str] | None = None) -> int:
    parser = reporting.parser_of(__doc__, "outputs")
    parser.prog = "python -m benchmarks.node.outputs"
    parser.add_argument("--seconds", type=float, default=20.0, help="counted for each (20)")
    options = parser.parse_args(argv)
    os.environ |= {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(XML),
    }
    cases = [measured(output, options.seconds) for output in tqdm(OUTPUTS, "outputs")]
    results: dict[str, Any] = {**reporting.conditions("node.outputs", argv), "cases": cases}
    results["cloud_ms"] = cloud_ms()
    rows = [list(case.values()) for case in cases]
    text = (
        f"## What each output costs\n\n{reporting.origin(results)}.\n"
        f"{_EXPLANATION.format(**results)}\n\n"
        f"{reporting.table(_HEADS, rows)}"
    )
    reporting.finish(results, "outputs", text, options)
    return 0


def measured(output: str, seconds: float) -> dict[str, object]:
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

    rclpy.init()
    node = rclpy.create_node("outputs")
    # rclpy hands a callback of two arguments the message's times too; its types do not say so.
    subscribe: Any = node.create_subscription
    subscribe(CameraInfo, CAMERA.camera_info, came_in, 10)
    subscribe(kind, CAMERA.output(output), came_out, 1)
    with tempfile.TemporaryDirectory() as logs, NodeProcesses(Path(logs)) as processes:
        processes.start("stand_in.camera_node", seed="4", rate="10.0", **_CAMERA)
        processes.start("segmentation.segmentation_node", **_SEGMENTATION)
        if own:
            processes.start(own)
        while not sent.keys() & received.keys():  # both topics are discovered
            processes.check()
            rclpy.spin_once(node, timeout_sec=0.1)
        received.clear()
        pids = processes.pids[1:]
        before, start = [usage(pid)[0] for pid in pids], time.monotonic()
        while time.monotonic() < start + seconds:
            rclpy.spin_once(node, timeout_sec=0.1)
        used = [
            100 * (usage(pid)[0] - was) / seconds for pid, was in zip(pids, before, strict=True)
        ]
    rclpy.shutdown()
    figures = [f"{share:.0f}" for share in used]
    ages = [(end - sent[stamp]) / 1e6 for stamp, end in received.items() if stamp in sent]
    return {"output": output, "hz": len(received) / seconds, **spread(ages or [math.nan]),
            "mb": size / 1e6, "segmentation": figures[0],
            "own": figures[1] if own else None}  # fmt: skip


def cloud_ms() -> float:
    """Median milliseconds of CPU time for the points of a frame of 800x600."""
    cv2.setNumThreads(1)
    cloud = SemanticCloud(Calibration(800, 600, 400.0, 400.0, 400.0, 300.0))
    table = class_table(Legend(carla_13(), carla_13(), "", ""), [ALL])
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(carla_13()), (600, 800), np.uint8)
    depth = rng.uniform(1, 100, labels.shape).astype(np.float32)
    times = []
    for _ in range(100):
        start = time.thread_time()
        cloud.fill(labels, labels, depth, table, 60.0)
        times.append(1000 * (time.thread_time() - start))
    return spread(times)["median_ms"]


def stamp_of(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


if __name__ == "__main__":
    sys.exit(main())
