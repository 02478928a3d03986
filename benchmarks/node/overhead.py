# SPDX-License-Identifier: Apache-2.0
"""Measures the CPU time per frame that the segmentation node needs besides its engine.

    python -m benchmarks.node.overhead [--document]

A camera process publishes bgra8 frames of 800x600 and subscribes to the outputs. This process
takes each frame from the middleware and passes it through the node's own CameraStream, with an
engine that answers at once. It measures thread CPU time, which a busy machine hardly distorts.
"""

import math
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from rclpy.subscription import Subscription
from tqdm import tqdm

from benchmarks.listening import Listener
from benchmarks.processes import Worker, use_own_domain
from benchmarks.reporting import Benchmark, Report, Results, section, table
from benchmarks.transport.camera import send_frames
from carla_unet_ros.camera_model import LARGEST_FRAME, Size
from carla_unet_ros.labels import carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.frame_clock import FrameClock
from carla_unet_ros.ros.frame_memory import keep_freed_memory
from carla_unet_ros.ros.rclpy_private import take
from carla_unet_ros.segmentation.camera_stream import CameraStream
from carla_unet_ros.segmentation.engine_preparation import EnginePreparation
from carla_unet_ros.segmentation.frame_dispatcher import FrameDispatcher
from carla_unet_ros.segmenter import Segmentation

CAMERA = CameraTopics("/overhead/image")
OUTPUTS = ("labels", "confidence", "overlay")
RATE = 20.0

_HEADS = "published | take, ms | convert and publish, ms | together, ms"
_EXPLANATION = """\
Median CPU time of the node's thread for a bgra8 frame that another process sent, with an engine
that answers at once: taken from the middleware, turned into these outputs, published."""


@dataclass(frozen=True, kw_only=True)
class Options(Report):
    """Measure the CPU time that the segmentation node needs besides its engine."""

    frames: int = 100  # frames timed for each case


def measured(options: Options) -> Results:
    use_own_domain()
    keep_freed_memory()
    cases: list[Results] = []
    for count in tqdm(range(1, len(OUTPUTS) + 1), "cases"):
        take, work = measured_case(OUTPUTS[:count], options.frames)
        times = {"take_ms": take, "work_ms": work, "together_ms": take + work}
        cases.append({"published": ", ".join(OUTPUTS[:count]), **times})
    return {"cases": cases}


def described(results: Results) -> str:
    rows = [list(case.values()) for case in results["cases"]]
    return section("The node beside its engine", results, _EXPLANATION, table(_HEADS, rows))


def measured_case(outputs: tuple[str, ...], frames: int) -> tuple[float, float]:
    """Median CPU ms of taking a frame and of its processing by the stream."""
    wanted = [CAMERA.output(output) for output in outputs]
    camera = Worker("the camera", send_frames, [CAMERA.image], Size(800, 600), RATE, wanted)
    with camera, closing(Listener("overhead")) as listener:
        node, legend = listener.node, Legend(carla_13(), carla_13(), "none", "none")
        stream = CameraStream(
            node,
            CAMERA,
            "reliable",
            instant_engine(),
            LARGEST_FRAME,
            legend,
            FrameClock(node),
            FrameDispatcher(node),
            opacity=lambda: 0.5,
        )
        stream.activate()

        def images() -> list[Subscription]:
            """The stream's subscription, once the camera process subscribes to all outputs."""
            camera.check()
            heard = all(node.count_subscribers(topic) for topic in wanted)
            found = [one for one in node.subscriptions if one.topic_name == CAMERA.image]
            return found if heard else []

        listener.spin(math.inf, until=lambda: bool(images()))
        return timed(images()[0], frames)


def timed(subscription: Subscription, frames: int) -> tuple[float, float]:
    """Median CPU ms of taking a frame and of its callback."""
    times: list[tuple[float, float]] = []
    callback = cast(Any, subscription.callback)
    while len(times) < frames:
        start = time.thread_time()
        taken = take(subscription)
        between = time.thread_time()
        if taken is None:
            time.sleep(0.1 / RATE)
            continue
        callback(*taken)
        times.append((between - start, time.thread_time() - between))
    taking, working = 1000 * np.median(times, axis=0)
    return float(taking), float(working)


def instant_engine() -> EnginePreparation:
    ids = np.random.default_rng(0).integers(0, len(carla_13()), (600, 800), np.uint8)
    segmenter = SimpleNamespace(segment=lambda _: Segmentation(ids, ids))
    preparation = SimpleNamespace(segmenter=segmenter, is_ready=lambda _: True)
    return cast(EnginePreparation, preparation)


main = Benchmark("node.overhead", Options, measured, described).main

if __name__ == "__main__":
    sys.exit(main())
