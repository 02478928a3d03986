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
from tyro.conf import FlagCreatePairsOff

from benchmarks.reporting import ROOT, conditions, write_section
from benchmarks.timing import in_turns, spread, timed
from carla_unet_ros.command_line import Configured, run_command
from carla_unet_ros.engines.openvino_engine import openvino_core
from carla_unet_ros.model_file import SHIPPED_INT8_MODEL

_CASES = (2, 1), (2, 2), (4, 1), (4, 4)
_SECTION = """\
## Several frames in one inference

    {command}

{machine}, {date}.
The net of {model} alone, from the resized frame to its last convolution, takes {0:.1f} ms for
two frames one after the other and {1:.1f} ms for both in one inference, {2:.1f} ms and
{3:.1f} ms for four (medians; the answers are the same). The node gives each frame an inference of
its own."""


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Measure whether several frames in one inference take less time."""

    rounds: int = 15  # of five runs of each case
    document: FlagCreatePairsOff[bool] = False  # replace the section of docs/performance.md


def main(argv: list[str] | None = None) -> int:
    def report(options: Options) -> int:
        turns = {case: partial(timed, runner(*case), range(5)) for case in _CASES}
        times = in_turns({str(case): turn for case, turn in turns.items()}, options.rounds)
        medians = [spread(found)["median_ms"] for found in times.values()]
        known = conditions("node.batch", argv)
        text = _SECTION.format(*medians, model=SHIPPED_INT8_MODEL.stem, **known)
        print(text)
        if options.document:
            write_section("batch", text, ROOT / "docs" / "performance.md")
        return 0

    return run_command(Options, "python -m benchmarks.node.batch", report, argv)


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


if __name__ == "__main__":
    sys.exit(main())
