# SPDX-License-Identifier: Apache-2.0
"""Lets docs/examples/follow_road.py drive along the drawn street, as far as it comes.

    python -m benchmarks.closed_loop [--document]

Ten streets, each with the labels of the truth and with those of the shipped model. Nothing here
depends on time: the figures are the same on a slower machine. Each core drives one car.
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
`docs/examples/follow_road.py` in a simple car on the drawn street, {rate:.0f} frames a second of 800x600,
behind a car that stops and goes: labels, the grid of ground_grid_node with its memory, the
planner, the car. A drive ends where the car leaves the road or touches a car or a person, after
20 s of standing, or after {metres} m along the street. Labels are those of the drawing itself, or
those of {model}."""


def main(argv: list[str] | None = None) -> int:
    parser = reporting.parser_of(__doc__, "closed_loop")
    parser.add_argument("--seeds", type=reporting.positive, default=10, help="streets (10)")
    parser.add_argument("--metres", type=reporting.positive, default=50, help="of a drive (50)")
    options = parser.parse_args(argv)
    jobs = list(product(range(options.seeds), ("truth", "model")))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(drive, *zip(*jobs, strict=True), repeat(options.metres))
        ends = list(tqdm(found, "drives", len(jobs)))
    drives = [
        {"seed": seed, "town": _TOWNS[seed % 3], **ends[2 * seed], **ends[2 * seed + 1]}
        for seed in range(options.seeds)
    ]
    results = {**reporting.conditions("closed_loop", argv), "drives": drives}
    about = _EXPLANATION.format(
        rate=1 / STEP, metres=options.metres, model=shipped_model("openvino").stem
    )
    rows = [[_short(value) for value in drive.values()] for drive in drives]
    text = (f"## A planner in a closed loop\n\n{reporting.origin(results)}.\n{about}\n\n"
            f"{reporting.table(_HEADS, [*rows, *_summary(drives)])}")  # fmt: skip
    reporting.finish(results, "closed_loop", text, options)
    return 0


def drive(seed: int, labels: str, metres: int) -> dict[str, object]:
    """How far the planner comes on the street of a seed, in how many seconds, and why it ends."""
    steer = runpy.run_path(str(reporting.ROOT / "docs/examples/follow_road.py"))["steer"]
    segment = Segmenter(engine="openvino", threads=1).segment
    look = true_labels if labels == "truth" else lambda scene: segment(scene.frame)
    *_, last = StreetDrive(Drive(*_SIZE, seed=seed), look, steer, _SIZE).moments(metres)
    figures = min(last.metres, float(metres)), last.time + STEP, last.end
    return {
        f"{labels}_{name}": value for name, value in zip(["m", "s", "end"], figures, strict=True)
    }


def _summary(drives: list[dict]) -> list[list[object]]:
    truth, model = ([drive[f"{name}_m"] for drive in drives] for name in ("truth", "model"))
    return [
        [name, "", _short(of(truth)), "", "", _short(of(model)), "", ""]
        for name, of in (("mean", lambda all_: sum(all_) / len(all_)), ("least", min))
    ]


def _short(value: object) -> object:
    return f"{value:.1f}" if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
