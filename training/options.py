# SPDX-License-Identifier: Apache-2.0
"""The options of carla_unet_train, from the command line to config.yaml and the checkpoint."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from carla_unet_ros.camera_model import Size
from carla_unet_ros.command_line import EMPTY, Configured, SizeOption, check_ranges, values_of
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import carla_label_set, label_set
from carla_unet_ros.training.data.rare_classes import NOTHING_RARE, RareClasses
from carla_unet_ros.training.data.sources import SourceFolder, render_drive
from carla_unet_ros.training.data.weather import CLEAR, Weather
from carla_unet_ros.training.net.logit_bias import read_biases
from carla_unet_ros.training.net.unet import UNetConfig
from carla_unet_ros.training.run.devices import Machine
from carla_unet_ros.training.run.learner import Optimisation

_FREE = {"out", "resume", "workers", "accelerator", "devices", "init", "init-bias"}
_FREE |= {"data", "validate", "unsplit"}
"""Options that may differ between a run and its continuation: they change no result."""


class OptionError(InputError):
    """Options that do not fit each other or the run that they continue; the text says why."""


@dataclass
class SourceOptions:
    """The data set: which classes are learned, and from which frames."""

    # folders of pairs; train.txt and val.txt in a folder name its frames; without them the last
    # 15 % are held back
    data: tuple[Path, ...]
    # CARLA version of the masks' tags, one for all folders or one for each (0.8.x, 0.9.13)
    tags: tuple[str, ...]
    # folders of --data whose held-back frames are scored after every epoch
    validate: Annotated[tuple[Path, ...], arg(help_behavior_hint="(default: the first)")] = ()
    # folders of --data that are only for training, with the frames of train.txt or all frames;
    # for labels that are not exact enough for scores
    unsplit: Annotated[tuple[Path, ...], EMPTY] = ()
    # share of an epoch for each folder, and a last one for the drive
    shares: Annotated[tuple[float, ...], arg(help_behavior_hint="(default: equal parts)")] = ()
    drive: int = 0  # frames of the procedural drive to train on, too
    labels: str = "carla-13"  # label set to learn: carla-13 or a CARLA version

    def __post_init__(self) -> None:
        label_set(self.labels)
        for version in self.tags:
            carla_label_set(version)
        check_ranges(self, drive=(0, 1_000_000))
        if len(self.tags) == 1:
            self.tags = self.tags * len(self.data)
        if not self.data or len(self.tags) != len(self.data):
            raise OptionError(f"--tags: {len(self.tags)} given for {len(self.data)} of --data")
        sources = len(self.data) + bool(self.drive)
        self.shares = self.shares or (1.0,) * sources
        positive = all(0 <= share < math.inf for share in self.shares) and sum(self.shares) > 0
        if len(self.shares) != sources or not positive:
            raise OptionError(
                f"--shares: {self.shares}; expected {sources} positive numbers, one for each "
                "of --data and a last one for --drive where it is given"
            )
        split = [folder for folder in self.data if folder not in self.unsplit]
        self.validate = self.validate or tuple(split[:1])
        if unknown := set(self.unsplit) - set(self.data):
            raise OptionError(f"--unsplit {unknown.pop()} is not among --data, so has no --tags")
        if unknown := set(self.validate) - set(split):
            raise OptionError(
                f"--validate {unknown.pop()} is not among those of --data that hold frames back"
            )
        if not self.validate:
            raise OptionError("--unsplit names all of --data: nothing is left to validate on")

    def folders(self, out: Path) -> Iterator[SourceFolder]:
        """Yields the folders. The drive comes last, because drawing it takes minutes."""
        for path, tags, share in zip(self.data, self.tags, self.shares, strict=False):
            yield SourceFolder(path, tags, share, path not in self.unsplit, path in self.validate)
        if self.drive:
            drawn = render_drive(out / "drive", self.drive)
            yield SourceFolder(drawn, "0.8.x", self.shares[-1], split=False)


@dataclass(frozen=True)
class AugmentationOptions:
    """Augmentation: random changes that make one street in one light look like many."""

    crop: SizeOption = Size(512, 384)  # size of the crops trained on
    # names of classes to show more of, such as Pedestrians Poles TrafficSigns
    rare: Annotated[tuple[str, ...], EMPTY] = ()
    rare_crops: float = 0.5  # share of the crops that search for them
    rare_paste: float = 0.3  # share of the frames that they are pasted into
    # share of the frames that get surfaces or half of the classes of another frame
    mix: float = 0.3
    relight: float = 0.3  # share of the frames where each class gets a light of its own
    # share of the frames that get a night, fog, a low sun or wet ground drawn into them
    weather: float = 0.0
    bonnet: float = 0.0  # share of the frames that get a bonnet over their lower part

    @property
    def weather_drawn(self) -> Weather:
        return Weather(self.weather, self.bonnet)


@dataclass(frozen=True)
class NetOptions:
    """The U-Net."""

    channels: int = 24  # channels of the first level; the paper has 64
    depth: int = 5  # how often the picture is halved
    stem: int = 2  # 2: move 2x2 pixels into channels first; 1: do not
    max_channels: int = 128  # most channels of a level
    # the skip connections; without, it is the plain encoder-decoder, for comparison
    skips: bool = True
    dropout: float = 0.0  # share of the bottleneck set to 0 in training
    network_size: SizeOption = Size(576, 448)  # frames are resized to this
    # start from the weights of this checkpoint or model file, such as the shipped
    # carla_unet.onnx; it may have fewer channels
    init: Path | None = None
    # CLASS=AMOUNT, added to the logits of --init: takes off what --logit-bias of
    # carla_unet_export gave it, as Vehicles=-1
    init_bias: Annotated[tuple[str, ...], EMPTY] = ()
    # keep the statistics of batch normalisation that --init gave, so that the net learns with
    # those that it will run with
    frozen_statistics: bool = False

    def unet(self, classes: int) -> UNetConfig:
        """The net's hyperparameters. ValueError if they are out of range."""
        names = {field.name for field in fields(UNetConfig)} - {"classes"}
        return UNetConfig(classes, **{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class LossOptions:
    """Cross-entropy plus Dice."""

    class_weight: float = 0.5  # 0: all pixels have one weight, 1: all classes have one weight
    dice: float = 1.0  # weight of the soft Dice loss
    smoothing: float = 0.0  # label smoothing


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Train the U-Net on folders of CARLA frames with per-pixel labels.

    Layouts: rgb/ + label/, CameraRGB/ + CameraSeg/, CameraRGB/ + CameraMask/; masks hold raw tags
    or palette colours. A killed run goes on with the same command and --resume. OUT/config.yaml
    holds the options of a run; --config takes it. Then: carla_unet_export --checkpoint
    OUT/best.pt --out model.onnx
    """

    out: Path  # folder of this run
    resume: bool = False  # continue from OUT/last.pt if it exists
    sources: SourceOptions
    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    net: NetOptions = field(default_factory=NetOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    optimisation: Optimisation = field(default_factory=Optimisation)
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        """Raises ValueError for unknown classes, values out of range, and unsuitable sizes."""
        self._check_ranges()
        labels = label_set(self.sources.labels)
        labels.ids(self.augmentation.rare)
        labels.ids(read_biases(self.net.init_bias))
        if self.net.frozen_statistics and self.net.init is None:
            raise OptionError(
                "--frozen-statistics keeps those of --init, but there is no --init: a net with "
                "random weights has none"
            )
        if self.net.init_bias and self.net.init is None:
            raise OptionError(
                "--init-bias adds to the logits of --init, but there is no --init: a net with "
                "random weights learns its own"
            )
        if self.augmentation.weather_drawn != CLEAR and self.sources.labels != "carla-13":
            raise OptionError(
                "--weather and --bonnet know the classes of carla-13, not those of "
                f"{self.sources.labels}"
            )
        multiple = self.net.unet(len(labels)).multiple
        for name, size in (
            ("--crop", self.augmentation.crop),
            ("--network-size", self.net.network_size),
        ):
            if any(side % multiple for side in size):
                near = Size(*(max(1, round(side / multiple)) * multiple for side in size))
                raise OptionError(
                    f"{name} {size}: this net needs multiples of {multiple}, such as {near}"
                )

        width, height = self.augmentation.crop
        if self.optimisation.batch * width * height < 2 * multiple**2:
            raise OptionError(
                f"--batch 1 with --crop {self.augmentation.crop}: the bottleneck has one value "
                "per channel, but batch normalisation needs two: use a larger --batch or --crop"
            )

    def _check_ranges(self) -> None:
        share = 0, 1
        check_ranges(self.augmentation, rare_crops=share, rare_paste=share, mix=share)
        check_ranges(self.augmentation, relight=share, weather=share, bonnet=share)
        check_ranges(self.loss, class_weight=(0, 2), dice=(0, 100), smoothing=(0, 0.9))
        check_ranges(self.optimisation, rate=(1e-9, 10), weight_decay=(0, 10))
        check_ranges(self.optimisation, average=(0, 0.99999), seed=(0, 2**31 - 1))
        check_ranges(self.machine, workers=(0, 256))

    @property
    def rare(self) -> RareClasses:
        asked = self.augmentation
        ids = label_set(self.sources.labels).ids(asked.rare)
        return RareClasses(tuple(ids), asked.rare_crops, asked.rare_paste) if ids else NOTHING_RARE

    def check_same_run(self, saved: dict[str, Any]) -> None:
        """Raises OptionError, which names the differences, for another run's options."""
        # Options that it did not know had no effect; neither have their defaults.
        sources = SourceOptions(self.sources.data, self.sources.tags)
        before = values_of(Options(out=self.out, sources=sources)) | _in_todays_words(saved)
        now = values_of(self)
        changed = [
            f"{name} was {before[name]}, now {now[name]}"
            for name in now
            if name not in _FREE and now[name] != before[name]
        ]
        if changed:
            raise OptionError(
                f"{self.out} was started with other options ({'; '.join(changed)}): "
                "resume with those, or start a new run in another --out"
            )


def _in_todays_words(saved: dict[str, Any]) -> dict[str, Any]:
    """Options of a checkpoint, also of an old one without config.yaml."""
    if "no_skips" not in saved:
        return saved
    sizes = {name: str(Size(*saved[name])) for name in ("crop", "network_size")}
    words = saved | sizes | {"skips": not saved["no_skips"]}
    return {name.replace("_", "-"): value for name, value in words.items()}
