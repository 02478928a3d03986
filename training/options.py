"""The options of carla_unet_train: one table, from the command line to the checkpoint."""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class OptionError(ValueError):
    """Options that do not fit each other; the text says which and why."""


@dataclass
class Options:
    """See `parse` for what each means; sizes are (width, height)."""

    data: list[Path]
    tags: list[str]
    out: Path
    validate: list[Path]
    shares: list[float]
    drive: int
    rare: list[str]
    rare_crops: float
    rare_paste: float
    mix: float
    relight: float
    weather: float
    bonnet: float
    labels: str
    channels: int
    depth: int
    stem: int
    max_channels: int
    no_skips: bool
    dropout: float
    network_size: tuple[int, int]
    crop: tuple[int, int]
    epochs: int
    frames: int
    batch: int
    rate: float
    weight_decay: float
    class_weight: float
    dice: float
    smoothing: float
    average: float
    precision: str
    accelerator: str
    devices: str
    workers: int
    seed: int
    init: Path | None
    resume: bool

    # What may differ between a run and its continuation: it changes no result.
    _FREE = ("out", "resume", "workers", "accelerator", "devices", "init", "data", "validate")

    def __post_init__(self) -> None:
        if len(self.tags) == 1:
            self.tags = self.tags * len(self.data)
        if len(self.tags) != len(self.data):
            raise OptionError(f"--tags: {len(self.tags)} given for {len(self.data)} of --data")
        sources = len(self.data) + bool(self.drive)
        self.shares = self.shares or [1.0] * sources
        if len(self.shares) != sources or min(self.shares) < 0 or not sum(self.shares):
            raise OptionError(
                f"--shares: {self.shares}; expected {sources} positive numbers, one for each "
                "of --data and a last one for --drive where it is given"
            )
        self.validate = self.validate or self.data[:1]
        unknown = [folder for folder in self.validate if folder not in self.data]
        if unknown:
            raise OptionError(f"--validate {unknown[0]} is not among --data, so has no --tags")
        if (self.weather or self.bonnet) and self.labels != "carla-13":
            raise OptionError(
                f"--weather and --bonnet know the classes of carla-13, not of {self.labels}"
            )
        if self.frames < self.batch:
            raise OptionError(f"--frames {self.frames} is less than one --batch of {self.batch}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {
            name: str(value) if isinstance(value, Path) else _plain(value)
            for name, value in asdict(self).items()
        }

    def check_same_run(self, saved: dict[str, Any]) -> None:
        """OptionError that names what differs from the options a run was started with."""
        now = self.as_dict()
        changed = [
            f"{name} was {saved.get(name)}, now {now[name]}"
            for name in now
            if name not in self._FREE and now[name] != saved.get(name)
        ]
        if changed:
            raise OptionError(
                f"{self.out} was started with other options ({'; '.join(changed)}): "
                "resume with those, or start a new run in another --out"
            )


def parse(argv: list[str] | None = None) -> Options:
    """Options from the command line; exits with a sentence where they cannot be understood."""
    parser = argparse.ArgumentParser(
        "carla_unet_train",
        description="Train the U-Net on folders of CARLA frames with per-pixel labels.",
        epilog="Layouts: rgb/ + label/, CameraRGB/ + CameraSeg/, CameraRGB/ + CameraMask/; masks "
        "hold raw tags or palette colours. A killed run goes on with the same command and "
        "--resume. Then: carla_unet_export --checkpoint RUN/best.pt --out model.onnx",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _data_arguments(parser)
    _net_arguments(parser)
    _schedule_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        return Options(**vars(arguments))
    except OptionError as error:
        parser.error(str(error))


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    add = group.add_argument
    add("--data", nargs="+", type=Path, required=True, help="folders of pairs; train.txt and "
        "val.txt in a folder name its frames, else the last 15%% are held back")  # fmt: skip
    add("--tags", nargs="+", required=True, help="CARLA version whose tags the masks hold, one "
        "for all folders or one each: 0.8.x, 0.9.13, 0.9.14-0.9.16, ...")  # fmt: skip
    add("--out", type=Path, required=True, help="folder of this run")
    add("--validate", nargs="+", type=Path, default=[], help="those of --data whose val.txt is "
        "scored after every epoch (default: the first)")  # fmt: skip
    add("--shares", nargs="+", type=float, default=[], help="how much of an epoch each folder "
        "fills, and last the drive (default: equal parts)")  # fmt: skip
    add("--drive", type=int, default=0, help="frames of the procedural drive to train on, too")
    add("--rare", nargs="*", default=[], metavar="CLASS", help="names of classes to show more of, "
        "such as Pedestrians Poles TrafficSigns")  # fmt: skip
    add("--rare-crops", type=float, default=0.5, help="share of the crops that look for them")
    add("--rare-paste", type=float, default=0.3, help="share of the frames they are pasted into")
    add("--mix", type=float, default=0.3, help="share of the frames that take surfaces or half of "
        "the classes of another frame")  # fmt: skip
    add("--relight", type=float, default=0.3, help="share of the frames where each class stands "
        "in a light of its own")  # fmt: skip
    add("--weather", type=float, default=0.0, help="share of the frames that get a night, fog, a "
        "low sun or wet ground drawn into them")  # fmt: skip
    add("--bonnet", type=float, default=0.0, help="share of the frames that get a bonnet")
    add("--labels", default="carla-13", help="label set to learn: carla-13 or a CARLA version")


def _net_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("net")
    add = group.add_argument
    add("--channels", type=int, default=24, help="of the first level; the paper has 64")
    add("--depth", type=int, default=5, help="how often the picture is halved")
    add("--stem", type=int, default=2, help="2: fold 2x2 pixels into channels first; 1: do not")
    add("--max-channels", type=int, default=128, help="where the doubling with depth ends")
    add("--no-skips", action="store_true", help="the plain encoder-decoder, for comparison")
    add("--dropout", type=float, default=0.0, help="share of the bottleneck silenced in training")
    add("--network-size", type=size_argument, default="576x448", help="frames are resized to this")
    add("--init", type=Path, help="start from the weights of this checkpoint or "
        "model file, such as the shipped carla_unet.onnx; it may have fewer channels")  # fmt: skip


def _schedule_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    add = group.add_argument
    add("--epochs", type=int, default=60)
    add("--frames", type=int, default=1200, help="frames drawn for one epoch")
    add("--batch", type=int, default=8, help="frames a step, for each process")
    add("--crop", type=size_argument, default="512x384", help="size of the crops trained on")
    add("--rate", type=float, default=2e-3, help="highest learning rate of the one-cycle schedule")
    add("--weight-decay", type=float, default=1e-2)
    add(
        "--class-weight", type=float, default=0.5, help="0: all pixels alike, 1: all classes alike"
    )
    add("--dice", type=float, default=1.0, help="weight of the soft Dice loss")
    add("--smoothing", type=float, default=0.0, help="label smoothing")
    add("--average", type=float, default=0.998, help="decay of the moving average of the weights")
    add("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto")
    add("--accelerator", default="auto", help="auto, cpu, cuda")
    add("--devices", default="auto", help="how many, or auto")
    add("--workers", type=int, default=2, help="processes that read and augment")
    add("--seed", type=int, default=0)
    add("--resume", action="store_true", help="go on from OUT/last.pt where there is one")


def size_argument(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT on a command line."""
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected WIDTHxHEIGHT")
    return int(width), int(height)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [str(item) if isinstance(item, Path) else item for item in value]
    return value
