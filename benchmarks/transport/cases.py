# SPDX-License-Identifier: Apache-2.0
"""Runs one case in separate processes over real DDS; benchmarks.node uses it, too.

The chain is camera process -> (node process ->) receiving process, on this machine only and in a
ROS domain that nothing else here uses. All processes end with the case, even if it fails.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tqdm import tqdm

from benchmarks.processes import Worker, use_own_domain
from benchmarks.reporting import ROOT, Report, Results
from benchmarks.transport.camera import send_frames
from benchmarks.transport.receiver import send_figures
from carla_unet_ros.camera_model import Size
from carla_unet_ros.command_line import SizeOption
from carla_unet_ros.demo.node_processes import NodeProcesses
from carla_unet_ros.engines import EngineName
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.segmenter import Segmenter

LARGE_FRAMES = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(ROOT / "config" / "fastdds_shm.xml")}
"""The environment of a process whose Fast DDS reads that file."""

Way = Literal["frames", "labels"]
Reliability = Literal["reliable", "best_effort"]
Side = Literal["neither", "sender", "receiver"]


class Case(NamedTuple):
    """rate: of each camera, in Hz; shared_memory: the side that reads fastdds_shm.xml."""

    way: Way
    cameras: int
    reliability: Reliability
    shared_memory: Side
    rate: float


@dataclass(frozen=True, kw_only=True)
class CaseOptions(Report):
    """The options that both benchmarks share."""

    seconds: float = 10.0  # counted for each case
    warm_up: float = 2.0  # seconds before, not counted
    size: SizeOption = Size(800, 600)  # of the frames
    model: Path | None = None  # default: the one the node takes by itself
    engine: EngineName = "auto"  # what runs it


def run(cases: Sequence[Case], options: CaseOptions) -> Results:
    """Measures every case; returns what they have in common, and the figures of each."""
    use_own_domain()
    results: Results = {
        "fast_dds": next((one.version for one in distributions(name="ros-fastrtps")), "of ROS"),
        "size": str(options.size),
        "seconds": options.seconds,
        "cases": [],
    }
    if any(case.way == "labels" for case in cases):
        results |= _what_segments(options)
    for case in tqdm(cases, "cases"):
        results["cases"].append(case._asdict() | measured(case, options))
    return results


def origin(results: Mapping[str, Any]) -> str:
    """What the figures of `run` have in common, as sentences."""
    segments = f"Model {results['model']} on {results['engine']}. " if "model" in results else ""
    return (
        f"Fast DDS {results['fast_dds']}. {segments}Frames of {results['size']}, bgra8; "
        f"{results['seconds']:g} s counted for each case."
    )


def measured(case: Case, options: CaseOptions) -> dict[str, Any]:
    """Measures one case: images sent and received, their ages in ms; for labels also the
    node's CPU time and memory."""
    topics = [CameraTopics(f"/transport/camera_{n}/image") for n in range(case.cameras)]
    images = [camera.image for camera in topics]
    environments = {case.shared_memory: LARGE_FRAMES}
    sender, receiver = environments.get("sender"), environments.get("receiver")
    with NodeProcesses() as nodes:
        if case.way == "labels":
            nodes.start(
                "segmentation.segmentation_node",
                receiver,
                image_topics=f"[{', '.join(images)}]",
                reliability=case.reliability,
                engine=options.engine,
                **{"model": str(options.model.absolute())} if options.model else {},
            )
        counted = [camera.output("labels") for camera in topics] if nodes.names else images
        reliability = "reliable" if nodes.names else case.reliability
        watched = counted, reliability, options.warm_up, options.seconds, nodes.pids
        camera = Worker(
            "the camera", send_frames, images, options.size, case.rate, environment=sender
        )
        with camera, Worker("the receiver", send_figures, *watched, environment=receiver) as end:
            return end.answer(watch=lambda: (nodes.check(), camera.check()))


def _what_segments(options: CaseOptions) -> dict[str, str]:
    """Model and engine, opened here so that a wrong one fails at once and a GPU's engine,
    which takes minutes to build, is cached when the node needs it."""
    with closing(Segmenter(options.model, options.engine, log=tqdm.write)) as segmenter:
        segmenter.engine.prepare(options.size.height, options.size.width)
        return {"model": segmenter.model.name, "engine": segmenter.engine.name}
