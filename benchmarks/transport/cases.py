# SPDX-License-Identifier: Apache-2.0
"""Runs one case in separate processes over real DDS; benchmarks.node uses it, too.

The chain is camera process -> (node process ->) receiving process, on this machine only and in a
ROS domain that nothing else here uses. All processes end with the case, even if it fails.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from benchmarks import reporting
from carla_unet_ros.demo.node_processes import free_domain
from carla_unet_ros.engines import ENGINE_KINDS, EngineError
from carla_unet_ros.model_file import ModelError
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.segmenter import Segmenter

XML = reporting.ROOT / "config" / "fastdds_shm.xml"

WAYS = ("frames", "labels")
RELIABILITIES = ("reliable", "best_effort")
SIDES = ("neither", "sender", "receiver")

_SECONDS_TO_END = 10.0
_SECONDS_A_LOOK = 0.2

Process = subprocess.Popen[bytes]


class RunFailed(Exception):
    """Raised if a case cannot be measured; the text says which process failed, and how."""


class Case(NamedTuple):
    """rate: of each camera, in Hz; shared_memory: the side that reads fastdds_shm.xml."""

    way: str
    cameras: int
    reliability: str
    shared_memory: str
    rate: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that both benchmarks share."""
    add = parser.add_argument
    add("--seconds", type=float, default=10.0, help="counted for each case (%(default)s)")
    add("--warm-up", type=float, default=2.0, help="seconds before, not counted (%(default)s)")
    add("--width", type=int, default=800, help="of the frames (%(default)s)")
    add("--height", type=int, default=600, help="of the frames (%(default)s)")
    add("--model", type=Path, help="default: the one the node takes by itself")
    add("--engine", choices=ENGINE_KINDS, default="auto", help="what runs it (%(default)s)")


def run(
    name: str, cases: Sequence[Case], options: argparse.Namespace, argv: list[str] | None
) -> dict[str, Any]:
    """Measures every case; returns the figures of each as `measured` does.

    name, argv: the benchmark's name and its arguments; None takes those of sys.argv

    Raises SystemExit, once all processes have ended, on Ctrl-C, SIGTERM and any failure.
    """
    os.environ |= {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    results: dict[str, Any] = _conditions(name, options, argv)
    try:
        if any(case.way == "labels" for case in cases):
            results |= _what_segments(options)
        results["cases"] = []
        for case in tqdm(cases, "cases"):
            results["cases"].append(case._asdict() | measured(case, options))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except (RunFailed, ModelError, EngineError) as error:
        raise SystemExit(f"{name}: {error}") from error
    return results


def origin(results: Mapping[str, Any]) -> str:
    """The origin of the figures of `run`, as Markdown."""
    size = f"{results['width']}x{results['height']}"
    segments = f"Model {results['model']} on {results['engine']}. " if "model" in results else ""
    return (
        f"{reporting.origin(results)}, Fast DDS {results['fast_dds']}.\n"
        f"{segments}Frames of {size}, bgra8; {results['seconds']:g} s counted for each case."
    )


def measured(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Measures one case: images sent and received, their ages in ms; for labels also the
    node's CPU time and memory."""
    topics = [CameraTopics(f"/transport/camera_{n}/image") for n in range(case.cameras)]
    images = [camera.image for camera in topics]
    frames = [f"--width={options.width}", f"--height={options.height}", f"--rate={case.rate}"]
    watched = [f"--seconds={options.seconds}", f"--warm-up={options.warm_up}"]
    large = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(XML)}
    sender = large if case.shared_memory == "sender" else {}
    receiver = large if case.shared_memory == "receiver" else {}
    others: dict[str, Process] = {}
    with ExitStack() as stack:
        if case.way == "labels":
            node = stack.enter_context(
                _process(_node(images, case.reliability, options), receiver)
            )
            others["segmentation_node"] = node
            watched += [camera.output("labels") for camera in topics] + [f"--node={node.pid}"]
        else:
            watched += images + (["--best-effort"] if case.reliability == "best_effort" else [])
        camera = ["-m", "benchmarks.transport.camera", *images, *frames]
        others["the camera"] = stack.enter_context(_process(camera, sender))
        return _answer(["-m", "benchmarks.transport.receiver", *watched], receiver, others)


def _node(images: list[str], reliability: str, options: argparse.Namespace) -> list[str]:
    parameters = {
        "image_topics": f"[{', '.join(images)}]",
        "reliability": reliability,
        "engine": options.engine,
    }
    if options.model:
        parameters["model"] = str(options.model.absolute())
    node = "carla_unet_ros.segmentation.segmentation_node"
    command = ["-m", node, "--ros-args", "--log-level", "warn"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={value}"]
    return command


def _answer(
    command: list[str], environment: dict[str, str], others: Mapping[str, Process]
) -> dict[str, Any]:
    """Reads the JSON a process prints. Raises RunFailed once it, or one it depends on, fails."""
    with _process(command, environment, subprocess.PIPE) as process:
        while process.poll() is None:
            _check(others)
            time.sleep(_SECONDS_A_LOOK)
        _check(others)
        assert process.stdout
        text = process.stdout.read()
    if process.returncode:
        raise RunFailed(f"{command[1]} ended with status {process.returncode}")
    return json.loads(text)


def _check(processes: Mapping[str, Process]) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise RunFailed(
                f"{name} ended with status {process.returncode}; what it said stands above"
            )


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], stdout: int | None = None
) -> Iterator[Process]:
    """A Python process that SIGINT ends: a killed one would leave its shared memory behind."""
    with subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | environment,
        cwd=reporting.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        # Keeps a terminal's Ctrl-C, sent to its whole process group, from this process.
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()


def _conditions(name: str, options: argparse.Namespace, argv: list[str] | None) -> dict[str, Any]:
    return {
        **reporting.conditions(name, argv),
        "fast_dds": next((one.version for one in distributions(name="ros-fastrtps")), "of ROS"),
        **{name: getattr(options, name) for name in ("width", "height", "seconds", "warm_up")},
    }


def _what_segments(options: argparse.Namespace) -> dict[str, str]:
    """Model and engine, opened here so that a wrong one fails at once and a GPU's engine,
    which takes minutes to build, is cached when the node needs it."""
    segmenter = Segmenter(options.model, options.engine, log=tqdm.write)
    try:
        segmenter.engine.prepare(options.height, options.width)
        return {"model": segmenter.model.name, "engine": segmenter.engine.name}
    finally:
        segmenter.close()
