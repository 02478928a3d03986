# SPDX-License-Identifier: Apache-2.0
"""Lets docs/examples/follow_road.py drive along ten drawn streets, as far as it comes.

    python -m benchmarks.closed_loop [--document]

Nothing here depends on time: the figures are the same on a slower machine. Each core drives a car.
"""

import os
import runpy
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product, repeat

from tqdm import tqdm

from benchmarks import reporting
from carla_unet_ros.closed_loop.street_drive import STEP, StreetDrive, true_labels
from carla_unet_ros.segmenter import Segmenter, shipped_model
from carla_unet_ros.stand_in.drive import Drive

_SIZE = 800, 600
_TOWNS = "downtown", "suburb", "country"
_HEADS = ("seed", "town", "truth: m", "s", "end", "shipped model: m", "s", "end")
_EXPLANATION = """\
`docs/examples/follow_road.py` in a simple car on the drawn street, behind a car that stops and
goes; {rate:.0f} frames of 800x600 a second. A drive ends where the car leaves the road or touches
a car or a person, after 20 s of standing, or after {metres} m along the street. Labels are those
of the drawing itself, or those of {model}."""


def main(argv: list[str] | None = None) -> int:
    parser = reporting.parser_of(__doc__, "closed_loop")
    parser.add_argument("--seeds", type=reporting.positive, default=10, help="streets (10)")
    parser.add_argument("--metres", type=reporting.positive, default=40, help="of a drive (40)")
    options = parser.parse_args(argv)
    jobs = list(product(range(options.seeds), ("truth", "model")))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(drive, *zip(*jobs, strict=True), repeat(options.metres))
        ends = list(tqdm(found, "drives", len(jobs)))
    drives = list(zip(jobs, ends, strict=True))
    results = {**reporting.conditions("closed_loop", argv), "drives": drives}
    rows = [[seed, _TOWNS[seed % 3], *ends[2 * seed], *ends[2 * seed + 1]]
            for seed in range(options.seeds)]  # fmt: skip
    for name, of in (("mean", lambda ways: sum(ways) / len(ways)), ("least", min)):
        truth, model = (of([end[0] for end in ends[first::2]]) for first in (0, 1))
        rows.append([name, "", round(truth, 1), "", "", round(model, 1), "", ""])
    model = shipped_model("openvino").stem
    about = _EXPLANATION.format(rate=1 / STEP, metres=options.metres, model=model)
    text = (f"## A planner in a closed loop\n\n{reporting.origin(results)}.\n{about}\n\n"
            f"{reporting.table(_HEADS, rows)}")  # fmt: skip
    reporting.finish(results, "closed_loop", text, options)
    return 0


def drive(seed: int, labels: str, metres: int) -> tuple[float, float, str]:
    """How many metres the planner comes on this street, in how many seconds, and why it ends."""
    steer = runpy.run_path(str(reporting.ROOT / "docs/examples/follow_road.py"))["steer"]
    segment = Segmenter(engine="openvino", threads=1).segment
    look = true_labels if labels == "truth" else lambda scene: segment(scene.frame)
    *_, last = StreetDrive(Drive(*_SIZE, seed=seed), look, steer, _SIZE).moments(metres)
    return round(min(last.metres, metres), 1), round(last.time + STEP, 1), last.end


if __name__ == "__main__":
    sys.exit(main())
