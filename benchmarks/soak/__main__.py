# SPDX-License-Identifier: Apache-2.0
"""Runs the demo's nodes for long and disturbs them, to see whether anything grows or stays away.

    python -m benchmarks.soak --minutes 60 [--document]

Camera, segmentation and evaluation at 20 Hz. Every few seconds subscribers come or go, or the
camera is killed or ended, and started again, which sets simulation time back. Memory, file
descriptors and threads of each process, /dev/shm, image ages and gaps are noted each second.
"""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.processes import usage, use_own_domain
from benchmarks.reporting import Benchmark, Report, Results, section, table
from benchmarks.soak.listener import SoakListener
from carla_unet_ros.demo.node_processes import NodeDied, NodeProcesses

_CAMERA = "stand_in.camera_node"
KEPT = ("segmentation_node", "evaluation_node")
_MEASURES = ("memory_mb", "descriptors", "threads")
_SECONDS_TO_FIRST = 120.0
_HEADS = (
    "node | memory, MB: start | end | growth an hour | descriptors: start | end | "
    "threads: start | end"
)


@dataclass(frozen=True, kw_only=True)
class Options(Report):
    """Run the demo's nodes for long and disturb them, to see whether anything grows."""

    minutes: float = 10.0  # how long, after the first labels
    every: float = 8.0  # seconds from disturbance to disturbance
    model: Path | None = None  # default: the one the node takes by itself


def soak(options: Options) -> Results:
    """A sample of figures each second, and what the listener saw. NodeDied if a node ends."""
    use_own_domain()
    samples: list[dict[str, Any]] = []
    with NodeProcesses() as nodes, closing(SoakListener()) as listener:
        actions = disturbances(nodes, listener)
        nodes.start(_CAMERA)
        chosen = {"model": str(options.model.absolute())} if options.model else {}
        nodes.start("segmentation.segmentation_node", **chosen, use_sim_time="true")
        nodes.start("evaluation.evaluation_node", use_sim_time="true")
        listener.want("labels")
        listener.spin(_SECONDS_TO_FIRST, until=lambda: listener.labels > 0)
        if not listener.labels:
            raise NodeDied(f"no labels came. {nodes.last_lines('segmentation_node')}")
        started = acted = time.monotonic()
        for _ in tqdm(range(round(60 * options.minutes)), "soak", unit="s"):
            listener.spin(1.0)
            nodes.check()
            age = {"s": time.monotonic() - started, "age_ms": listener.age_ms}
            samples.append(sample(nodes) | age)
            if time.monotonic() - acted > options.every:
                listener.disturb()
                next(actions)()
                acted = time.monotonic()
    return {
        "samples": samples,
        "disturbances": listener.disturbances,
        "labels": listener.labels,
        "longest_gap_s": max(listener.gaps, default=None),
        "longest_recovery_s": max(listener.recoveries, default=None),
    }


def disturbances(nodes: NodeProcesses, listener: SoakListener) -> "cycle[Callable[[], None]]":
    """What is done to the nodes, one after the other and again."""
    actions: list[Callable[[], None]] = [
        lambda: listener.want("labels", "confidence", "overlay"),
        lambda: nodes.end("camera_node", signal.SIGKILL),
        lambda: nodes.start(_CAMERA),
        lambda: listener.want(),
        lambda: listener.want("labels"),
        lambda: nodes.end("camera_node"),
        lambda: nodes.start(_CAMERA, seed="1"),
    ]
    return cycle(actions)


def sample(nodes: NodeProcesses) -> dict[str, Any]:
    """Memory (MB), file descriptors and threads by node; files and MB of /dev/shm."""
    found: dict[str, Any] = {}
    for name, pid in zip(nodes.names, nodes.pids, strict=True):
        proc = Path(f"/proc/{pid}")
        counts = (len(list((proc / folder).iterdir())) for folder in ("fd", "task"))
        found[name] = dict(zip(_MEASURES, (usage(pid)[1], *counts), strict=True))
    shared = list(Path("/dev/shm").glob("*fastrtps*"))
    blocks = (file.stat().st_blocks for file in shared if file.exists())
    return {**found, "shm_files": len(shared), "shm_mb": sum(blocks) * 512 / 1e6}


def ends(values: list[Any]) -> tuple[float, float]:
    """Medians of a tenth at the start, behind the first tenth, and of the last tenth."""
    tenth = max(1, len(values) // 10)
    first = values[tenth : 2 * tenth] or values
    return float(np.median(first)), float(np.median(values[-tenth:]))


def growth(seconds: list[float], values: list[float]) -> float | None:
    """What a value gains in an hour, by a line through all but the first tenth."""
    skipped = len(values) // 10
    if len(values) - skipped < 2:
        return None
    return float(3600 * np.polyfit(seconds[skipped:], values[skipped:], 1)[0])


def described(results: Results) -> str:
    samples = results["samples"]
    seconds = [entry["s"] for entry in samples]
    rows: list[list[object]] = []
    for node in KEPT:
        columns = [[entry[node][measure] for entry in samples] for measure in _MEASURES]
        memory, *counts = (ends(column) for column in columns)
        rows.append([node, *memory, growth(seconds, columns[0]), *counts[0], *counts[1]])
    shm = [ends([entry[key] for entry in samples]) for key in ("shm_files", "shm_mb")]
    ages = [entry["age_ms"] for entry in samples if entry["age_ms"] is not None] or [np.nan]
    gap, recovery = (results[f"longest_{key}_s"] or np.nan for key in ("gap", "recovery"))
    return section(
        "A soak",
        results,
        f"{seconds[-1] / 60:.0f} minutes at 20 Hz with {results['disturbances']} disturbances: "
        "subscribers come and go, the camera is killed, ended and started\nagain, which sets "
        f"simulation time back. {results['labels']} label images came. Start: the second tenth "
        "of the time.",
        table(_HEADS, rows),
        f"/dev/shm: {shm[0][0]:.0f} files at the start, {shm[0][1]:.0f} at the end; "
        f"{shm[1][0]:.1f} and {shm[1][1]:.1f} MB. Largest image age of a second: median\n"
        f"{np.median(ages):.0f} ms, longest {max(ages):.0f} ms. Longest gap between labels "
        f"{gap:.2f} s; longest time from a disturbance\nto the next labels {recovery:.1f} s.",
        "![memory, descriptors, threads, shared memory and ages over time](soak.png)",
    )


def plot(results: Results) -> Any:
    """Every measure over the time."""
    from matplotlib.figure import Figure

    samples = results["samples"]
    minutes = [entry["s"] / 60 for entry in samples]
    figure = Figure(figsize=(8, 10), layout="constrained")
    axes = figure.subplots(5, sharex=True)
    for axis, measure in zip(axes, _MEASURES, strict=False):
        for node in (*KEPT, "camera_node"):
            values = [entry.get(node, {}).get(measure, np.nan) for entry in samples]
            axis.plot(minutes, values, label=node)
        axis.set(ylabel=measure.replace("_mb", ", MB"), ylim=(0, None))
    axes[0].legend()
    for axis, key, name in ((axes[3], "shm_mb", "/dev/shm, MB"), (axes[4], "age_ms", "age, ms")):
        axis.plot(minutes, [np.nan if entry[key] is None else entry[key] for entry in samples])
        axis.set(ylabel=name, ylim=(0, None))
    axes[-1].set(xlabel="minutes")
    return figure


main = Benchmark("soak", Options, soak, described, plot).main

if __name__ == "__main__":
    sys.exit(main())
