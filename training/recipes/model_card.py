# SPDX-License-Identifier: Apache-2.0
"""Writes the card of the shipped model; this command measures every figure in it.

    python -m carla_unet_ros.training.recipes.model_card --data FOLDER

FOLDER holds the data folders of `shipped_model`, and the two places that are scored and never
trained on. Scores come from `evaluate`, with the node's Segmenter, on the CPU.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from carla_unet_ros.command_line import Configured, run_command
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet
from carla_unet_ros.model_file import (
    SHIPPED_FP16_MODEL,
    SHIPPED_INT8_MODEL,
    SHIPPED_MODEL,
    read_model,
)
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.training.data.folders import PairFolder
from carla_unet_ros.training.data.frame_names import read_list
from carla_unet_ros.training.evaluate import Evaluation, evaluate
from carla_unet_ros.training.labelling.boxes import read_boxes
from carla_unet_ros.training.labelling.frames import FrameFolder
from carla_unet_ros.training.recipes.boxes_found import ASKED, BoxesFound, count_boxes
from carla_unet_ros.training.recipes.many_towns import split_frames
from carla_unet_ros.whole_files import prepare_file, write_whole

_CARD = SHIPPED_MODEL.with_suffix(".md")
_TEMPLATE = Path(__file__).with_name("model_card.md.in")
UNLABELLED_FRAMES = 1371
"""The number of frames of many_towns that the shipped files were trained on."""


@dataclass(frozen=True)
class Place:
    """A folder whose val.txt is scored; `what` describes it."""

    folder: str
    tags: str
    what: str


PLACES = (
    Place("town01", "0.8.x", "Town01 by day, farther along a street that was trained on"),
    Place("course", "0.9.13", "a country road, farther along a drive that was trained on"),
    Place("town07", "0.9.5", "a village, 160x80"),
    Place(
        "town02_roads", "0.9.13", "another light, 160x80; road, lines, sidewalks alone labelled"
    ),
    Place("town10_city", "0.9.15", "a city never trained on, overcast"),
    Place("town03_haze", "0.9.5", "never trained on: haze, low sun, a blue bonnet over a third"),
)


def score(model: Path, data: Path, places: Sequence[Place] = PLACES) -> list[Evaluation]:
    """The model's evaluation at each place. Raises InputError, ModelError or EngineError."""
    segmenter = Segmenter(model, "openvino")
    labels = segmenter.model.label_set
    sources = [
        PairFolder(
            data / place.folder, place.tags, labels, read_list(data / place.folder / "val.txt")
        )
        for place in places
    ]
    results = [evaluate(segmenter, source) for source in sources]
    segmenter.close()
    return results


def find_boxed_things(model: Path, folder: Path) -> BoxesFound:
    """What the model finds of the boxed things in the frames of many_towns that are held back."""
    segmenter = Segmenter(model, "openvino")
    source = FrameFolder(folder)
    held_back = split_frames(source.names)[1]
    found = count_boxes(segmenter, source.read(held_back), read_boxes(folder / "boxes.csv"))
    segmenter.close()
    return found


def fill_card(template: str, values: dict[str, str]) -> str:
    """Fills in the $names of a template. InputError names one without a value."""
    try:
        return Template(template).substitute(values)
    except (KeyError, ValueError) as error:
        raise InputError(f"the card's template cannot be filled in: {error}") from error


def table_of_places(places: Sequence[Place], results: Sequence[Evaluation]) -> str:
    """A table with a row for each place: frames, mean IoU, pixel accuracy."""
    rows = ["| place (val.txt) | frames | mean IoU | pixel accuracy |", "|---|---|---|---|"]
    for place, result in zip(places, results, strict=True):
        rows.append(
            f"| {place.folder}: {place.what} | {len(result.seconds)} "
            f"| {result.matrix.mean_iou():.3f} | {result.matrix.pixel_accuracy():.3f} |"
        )
    return "\n".join(rows)


def table_of_classes(
    labels: LabelSet, places: Sequence[Place], results: Sequence[Evaluation]
) -> str:
    """A table of IoU with a row for each class and a column for each place; - if it has none."""
    rows = [
        f"| IoU | {' | '.join(place.folder for place in places)} |",
        f"|---|{'---|' * len(places)}",
    ]
    by_place = [result.iou_in_truth() for result in results]
    for name in labels.names:
        values = [f"{iou[name]:.2f}" if name in iou else "-" for iou in by_place]
        rows.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(rows)


def table_of_boxes(found: BoxesFound) -> str:
    """A row for light frames and one for dark ones, a column a kind of box."""
    rows = [f"| boxes found | all | {' | '.join(ASKED)} |", f"|---|---|{'---|' * len(ASKED)}"]
    for light, dark in (("by day", False), ("in the dark", True)):
        shares = [found.share(dark, kind) for kind in (None, *ASKED)]
        cells = [f"{share:.2f} of {asked}" if asked else "-" for share, asked in shares]
        rows.append(f"| {light} | {' | '.join(cells)} |")
    return "\n".join(rows)


def write_card(data: Path, out: Path) -> None:
    """Scores the shipped files and writes their card."""
    small, model = score(SHIPPED_INT8_MODEL, data), read_model(SHIPPED_MODEL)
    # The exporter's scores on town01's val.txt.
    full = list(model.metadata.iou.values())
    files = (SHIPPED_MODEL, SHIPPED_INT8_MODEL, SHIPPED_FP16_MODEL)
    sizes = {
        f"size_{number}": f"{file.stat().st_size / 1e6:.1f}" for number, file in enumerate(files)
    }
    values = {
        "places": table_of_places(PLACES, small),
        "full": f"{sum(full) / len(full):.3f}",
        "classes": table_of_classes(model.label_set, PLACES, small),
        "width": str(model.metadata.network_size[0]),
        "height": str(model.metadata.network_size[1]),
        "looks": "twice, as it is and mirrored," if model.metadata.flips else "once,",
        "created": model.metadata.created,
        "boxes": table_of_boxes(find_boxed_things(SHIPPED_INT8_MODEL, data / "many_towns")),
        "many_towns": str(UNLABELLED_FRAMES),
        **sizes,
    }
    write_whole(out, fill_card(_TEMPLATE.read_text(), values))


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Score the shipped model and write its card."""

    data: Path  # folder of the data folders
    out: Path = _CARD  # the card to write


def run(options: Options) -> None:
    prepare_file(options.out)
    write_card(options.data, options.out)


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "model_card", run, argv)


if __name__ == "__main__":
    sys.exit(main())
