# SPDX-License-Identifier: Apache-2.0
"""Measures whether several frames in one inference take less time than one after the other.

    python -m benchmarks.node.batch [--document]

A model file takes one frame. Its net alone, from the resized frame to the last convolution, takes
any number: it runs on all of them at once and on one after the other, in turns.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import openvino
from openvino import opset13

from benchmarks.reporting import Benchmark, Report, Results, section
from benchmarks.timing import in_turns, spread, timed
from carla_unet_ros.engines.openvino_engine import openvino_core
from carla_unet_ros.model_file import SHIPPED_INT8_MODEL

_CASES = (2, 1), (2, 2), (4, 1), (4, 4)
_EXPLANATION = """\
The net of {model} alone, from the resized frame to its last convolution, takes {0:.1f} ms for
two frames one after the other and {1:.1f} ms for both in one inference, {2:.1f} ms and
{3:.1f} ms for four (medians; the answers are the same). The node gives each frame an inference of
its own."""


@dataclass(frozen=True, kw_only=True)
class Options(Report):
    """Measure whether several frames in one inference take less time."""

    rounds: int = 15  # of five runs of each case


def measured(options: Options) -> Results:
    turns = {str(case): partial(timed, runner(*case), range(5)) for case in _CASES}
    times = in_turns(turns, options.rounds)
    medians = [spread(found)["median_ms"] for found in times.values()]
    return {"model": SHIPPED_INT8_MODEL.stem, "medians_ms": medians}


def described(results: Results) -> str:
    text = _EXPLANATION.format(*results["medians_ms"], model=results["model"])
    return section("Several frames in one inference", results, text)


def runner(frames: int, batch: int) -> Callable[[object], list[np.ndarray]]:
    """What runs the net on so many frames, a batch after the other; returns the answers."""
    operations = openvino_core().read_model(SHIPPED_INT8_MODEL).get_ordered_ops()
    resized = next(entry for entry in operations if entry.get_type_name() == "Interpolate")
    *_, last = (entry for entry in operations if entry.get_type_name() == "Convolution")
    shape = resized.output(0).shape[1:]
    frame = opset13.parameter([batch, *shape], np.float32)
    for used in resized.output(0).get_target_inputs():
        used.replace_source_output(frame.output(0))
    net = openvino.Model([last], [frame], "net")  # pyright: ignore[reportGeneralTypeIssues]
    hint = {"PERFORMANCE_HINT": "LATENCY"}
    request = openvino_core().compile_model(net, "CPU", hint).create_infer_request()
    pixels = np.random.default_rng(0).standard_normal((frames, *shape), np.float32)
    batches = np.split(pixels, frames // batch)
    return lambda _: [request.infer([each])[0].copy() for each in batches]


main = Benchmark("node.batch", Options, measured, described).main

if __name__ == "__main__":
    sys.exit(main())
