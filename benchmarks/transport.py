"""How long a frame takes from the camera to its labels, across processes, and how many get there.

    python benchmarks/transport.py --out transport.json

A camera process sends bgra8 frames with the QoS of CARLA's bridge, each stamped as it is sent.
Two ways are timed, from the stamp to the receipt in another process: `frames`, the frames
themselves, and `labels`, what segmentation_node in a third process makes of them, so its engine's
time is part of it. Fast DDS is left as it is, or reads config/fastdds_shm.xml on the sender's or
the receiver's side; the frames are subscribed reliable and best effort, from 1 and 4 cameras.

The node takes the newest frame whenever its engine is free: labels may be rarer than frames.
"""

import argparse
import datetime
import itertools
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from carla_unet_ros.camera_topics import MOST_CAMERAS, CameraTopics
from carla_unet_ros.model_file import SHIPPED_MODEL
from carla_unet_ros.node_processes import free_domain

HERE = Path(__file__).resolve().parent
XML = HERE.parent / "config" / "fastdds_shm.xml"

WAYS = ("frames", "labels")
RELIABILITIES = ("reliable", "best_effort")
SIDES = ("neither", "sender", "receiver")


class Case(NamedTuple):
    """shared_memory: the side that reads fastdds_shm.xml."""

    way: str
    cameras: int
    reliability: str
    shared_memory: str


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    os.environ |= {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    results: dict[str, Any] = {"machine": machine(), "frames": _frames(options), "cases": []}
    choices = options.ways, options.cameras, options.reliability, options.shared_memory
    for case in tqdm([Case(*values) for values in itertools.product(*choices)], "cases"):
        results["cases"].append(case._asdict() | measured(case, options))
        # Kept after every case: what was measured survives what comes after it.
        options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results["cases"]))
    return 0


def measured(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """What transport_receiver.py found: images sent and received, and their ages in ms."""
    topics = [CameraTopics(f"/transport/camera_{n}/image") for n in range(case.cameras)]
    images = [camera.image for camera in topics]
    size = [f"--{name}={value}" for name, value in _frames(options).items()]
    watched = [f"--seconds={options.seconds}", f"--warm-up={options.warm_up}"]
    large = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(XML)}
    sender = large if case.shared_memory == "sender" else {}
    receiver = large if case.shared_memory == "receiver" else {}
    with ExitStack() as stack:
        if case.way == "labels":
            stack.enter_context(_running(_node(images, case.reliability, options.model), receiver))
            watched += [camera.output("labels") for camera in topics]
        else:
            watched += images + (["--best-effort"] if case.reliability == "best_effort" else [])
        stack.enter_context(_running([str(HERE / "transport_camera.py"), *images, *size], sender))
        done = subprocess.run(
            [sys.executable, str(HERE / "transport_receiver.py"), *watched],
            env=os.environ | receiver,
            stdout=subprocess.PIPE,
            check=True,
        )
    return json.loads(done.stdout)


def _node(images: list[str], reliability: str, model: Path) -> list[str]:
    parameters = {
        "image_topics": f"[{', '.join(images)}]",
        "reliability": reliability,
        "model": str(model.absolute()),
        "engine": "openvino",
    }
    command = ["-m", "carla_unet_ros.segmentation_node", "--ros-args", "--log-level", "warn"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={value}"]
    return command


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A Python process that gets Ctrl-C at the end: a killed one leaves its shared memory."""
    process = subprocess.Popen([sys.executable, *command], env=os.environ | environment)
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "fast_dds": metadata.version("ros-fastrtps"),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def table(cases: list[dict[str, Any]]) -> str:
    """A Markdown table, one row a case."""
    lines = [
        "| what arrives | cameras | subscribed | fastdds_shm.xml on | received of sent "
        "| median, ms | 95 %, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        received = f"{case['received']} of {case['sent']}"
        if case["silent_cameras"]:
            received += f", nothing from {case['silent_cameras']}"
        ages = (
            ("-" if case[key] is None else f"{case[key]:.1f}") for key in ("median_ms", "p95_ms")
        )
        name = [case["way"], str(case["cameras"]), case["reliability"], case["shared_memory"]]
        lines.append(f"| {' | '.join([*name, received, *ages])} |")
    return "\n".join(lines)


def _frames(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ("width", "height", "rate")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", type=Path, default=Path("transport.json"), help="figures as JSON (%(default)s)")
    add("--seconds", type=float, default=10.0, help="counted for each case (%(default)s)")
    add("--warm-up", type=float, default=2.0, help="seconds before, not counted (%(default)s)")
    add("--width", type=int, default=800)
    add("--height", type=int, default=600)
    add("--rate", type=float, default=20.0, help="frames a second of each camera (%(default)s)")
    add("--model", type=Path, default=SHIPPED_MODEL, help="default: the shipped one")
    add("--ways", nargs="+", choices=WAYS, default=WAYS)
    add("--cameras", nargs="+", type=int, choices=range(1, MOST_CAMERAS + 1), default=(1, 4))
    add("--reliability", nargs="+", choices=RELIABILITIES, default=RELIABILITIES)
    add("--shared-memory", nargs="+", choices=SIDES, default=SIDES,
        help="sides on which fastdds_shm.xml is set")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
