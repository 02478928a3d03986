"""What the skip connections of a U-Net are worth: writes docs/unet_vs_cnn.md, training included.

    python benchmarks/unet_vs_cnn.py

Trains three nets alike, by carla_unet_train's own code: the U-Net, the same net without skip
connections, and a wider one without them that costs as many multiply-adds. Then all are scored on
frames of other streets, by class: IoU, and boundary IoU, which counts only what is near a contour.
Without --data the streets are those of the procedural drive. Stopped, the same command goes on.

Options of carla_unet_train may be added, to all three alike: --epochs, --frames, --channels, ...
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import report
import unet_vs_cnn_contest
import unet_vs_cnn_pictures
from unet_vs_cnn_contest import Contest, predicted
from unet_vs_cnn_document import Figures, document, thin_classes

from carla_unet_ros.training.data.folders import DataError
from carla_unet_ros.training.net.checkpoints import CheckpointError, TrainedNet
from carla_unet_ros.training.options import OptionError

DOCS = Path(__file__).resolve().parents[1] / "docs"

_TRAINING = (
    "--channels 16 --depth 4 --stem 2 --max-channels 128 --network-size 480x352 --crop 320x224 "
    "--batch 4 --epochs 9 --frames 960 --rate 3e-3 --mix 0 --relight 0 --class-weight 0.7 "
    "--rare Pedestrians Poles TrafficSigns --rare-crops 0.3"
)
_PICTURES = 2


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    options, more = _parser().parse_known_args(words)
    try:
        data = unet_vs_cnn_contest.data_of(
            options.data, options.tags, options.out / "drive", options.drive_frames
        )
        contest = Contest.open(data, options.out, [*_TRAINING.split(), *more])
        trained = [contest.trained(net) for net in contest.nets]
        figures = contest.measured(
            trained, options.boundary, report.conditions("unet_vs_cnn", words)["command"]
        )
    except (OptionError, DataError, CheckpointError, ValueError) as error:
        print(f"unet_vs_cnn: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last whole epoch")
        return 130
    (options.out / "figures.json").write_text(json.dumps(asdict(figures), indent=1) + "\n")
    options.docs.mkdir(parents=True, exist_ok=True)
    link = None
    if pictures := options.pictures or (None if options.data else options.docs):
        picture = pictures / "unet_vs_cnn.png"
        _draw(contest, trained, figures, picture)
        # A folder of one's own may hold pictures that must not be passed on.
        link = picture.name if pictures.resolve() == options.docs.resolve() else None
    text = document(figures, link)
    (options.docs / "unet_vs_cnn.md").write_text(text)
    print(text)
    return 0


def _draw(contest: Contest, trained: Sequence[TrainedNet], figures: Figures, path: Path) -> None:
    thin = thin_classes(figures.thinness)
    places = unet_vs_cnn_pictures.most_telling(contest.test, thin, _PICTURES)
    pairs = [contest.test.read(place) for place in places]
    nets = {
        net.title: partial(predicted, weights)
        for net, weights in zip(contest.nets, trained, strict=True)
    }
    unet_vs_cnn_pictures.draw(pairs, nets, thin, contest.labels, path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Training without more options: {_TRAINING}",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--data", type=Path, help="folder of pairs as carla_unet_train takes it, instead of the "
        "drive; its val.txt, or last 15 %%, is what is scored")  # fmt: skip
    add("--tags", help="CARLA version whose tags the masks of --data hold")
    add("--drive-frames", nargs=2, type=int, default=(960, 96), metavar=("TRAIN", "TEST"),
        help="frames of the drive, 8 of each street; 96 are 12 streets, one of each kind in each "
        "weather (default: 960 96)")  # fmt: skip
    add("--boundary", nargs="+", default=["2%", "3"], metavar="DISTANCE", help="of boundary IoU: "
        "pixels, or per cent of the diagonal (default: 2%% and 3)")  # fmt: skip
    add("--out", type=Path, default=Path("runs/unet_vs_cnn"), help="runs, drawn frames and "
        "figures.json (%(default)s)")  # fmt: skip
    add("--docs", type=Path, default=DOCS, help="where unet_vs_cnn.md goes (default: docs/)")
    add("--pictures", type=Path, metavar="DIR", help="where unet_vs_cnn.png goes (default: with "
        "the document; with --data no picture is drawn unless asked for)")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
