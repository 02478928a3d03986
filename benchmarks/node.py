"""The whole segmentation node across processes: labels a second, their age, what the node uses.

    python benchmarks/node.py [--out node.json] [--document]

A camera process sends bgra8 frames, as CARLA's bridge does; segmentation_node makes labels of
them; a third process receives these, over real DDS on this machine. The engine is the one the
node chooses by itself. Once with one camera at several rates, and once with several cameras at
one rate. Fast DDS reads config/fastdds_shm.xml on the camera's side, as docs/carla.md recommends.

Writes a plot too, beside the JSON or the document; that needs matplotlib.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import report
from node_plot import plot
from transport_run import Case, add_options, origin, run

from carla_unet_ros.ros.camera_topics import MOST_CAMERAS

_HEADS = ("cameras", "frames/s asked of each", "frames/s sent by each", "labels/s of each",
          "labels of a camera: least", "most", "age, ms: median", "95 %", "node: % of one core",
          "node: memory, MB")  # fmt: skip
_EXPLANATION = """\
A camera process sends the frames, segmentation_node in a second one makes labels of them, a third
receives these; all three share the cores. Fast DDS reads `config/fastdds_shm.xml` on the sender's
side, the camera's, as [docs/carla.md](carla.md#large-frames) recommends. The node takes the newest
frame of a camera whenever its engine is free, and drops what it replaces: labels may be rarer than
frames. Least and most are labels received of one camera in the seconds counted, the age is from a
frame's stamp, the moment it was sent, to the receipt of its labels."""


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    results = run("node", cases(options), options, argv)
    print(table(results["cases"]))
    document: Path | None = options.document
    picture = document.with_name("node.png") if document else options.out.with_suffix(".png")
    plot(results, picture)
    if document:
        report.write_section("node", section(results, picture), document)
    return 0


def cases(options: argparse.Namespace) -> list[Case]:
    """Each once: one camera at every rate, and every number of cameras at one rate."""
    wanted = [(1, rate) for rate in options.rates]
    wanted += [(cameras, options.rate_of_cameras) for cameras in options.cameras]
    return [
        Case("labels", cameras, "reliable", "sender", rate)
        for cameras, rate in dict.fromkeys(wanted)
    ]


def table(cases: list[dict[str, Any]]) -> str:
    """A Markdown table, one row a case."""
    return report.table(_HEADS, [_row(case) for case in cases])


def section(results: dict[str, Any], picture: Path) -> str:
    """What docs/performance.md says."""
    shown = f"![labels a second and their age against the camera's rate]({picture.name})"
    parts = (
        "## The node, across processes",
        origin(results),
        _EXPLANATION,
        table(results["cases"]),
        shown,
    )
    return "\n\n".join(parts)


def _row(case: dict[str, Any]) -> list[object]:
    each = case["received_by_camera"]
    figures = (
        *(case[key] for key in ("sent_hz", "received_hz")),
        *(min(each), max(each)),
        *(case[key] for key in ("median_ms", "p95_ms")),
    )
    used = f"{100 * case['cpu_share']:.0f}", f"{case['memory_mb']:.0f}"
    known = ("-" if figure is None else figure for figure in figures)
    return [case["cameras"], f"{case['rate']:g}", *known, *used]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, "node")
    add = parser.add_argument
    add("--rates", nargs="+", type=float, default=(10.0, 20.0, 30.0, 60.0), metavar="HZ",
        help="of one camera, each a case (10 20 30 60)")  # fmt: skip
    add("--cameras", nargs="+", type=int, choices=range(1, MOST_CAMERAS + 1), default=(1, 2, 4),
        help="how many, each a case (1 2 4)")  # fmt: skip
    add("--rate-of-cameras", type=float, default=20.0, metavar="HZ",
        help="of each of these cameras (%(default)s)")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
