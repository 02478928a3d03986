# SPDX-License-Identifier: Apache-2.0
"""Trains the U-Net: `carla_unet_train --data DIR... --tags VERSION... --out RUN`.

RUN/config.yaml     the options, for --config
RUN/best.pt         the epoch with the highest validation score, for carla_unet_export
RUN/last.pt         the last whole epoch, for --resume
RUN/first.pt        with --init, the weights it started from; the mean of these and the last ones
                    keeps more of what the start knew: carla_unet_export --checkpoint FIRST LAST
RUN/curves.png      loss and mean IoU by epoch; the same goes to TensorBoard in RUN/tensorboard

The same command runs on a CPU, on one GPU, or under torchrun on many. n processes learn the same
as one process with batches n times as large.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import torch
import yaml
from torch import Tensor
from tqdm import tqdm

from carla_unet_ros.command_line import run_command, values_of
from carla_unet_ros.labels import label_set
from carla_unet_ros.training.data import loading
from carla_unet_ros.training.data.augmentation import Augmentation
from carla_unet_ros.training.data.sources import TrainingData, class_pixels
from carla_unet_ros.training.net import losses
from carla_unet_ros.training.net.checkpoints import read_checkpoint, write_checkpoint
from carla_unet_ros.training.net.frame_graph import normalise
from carla_unet_ros.training.net.logit_bias import add_biases, read_biases
from carla_unet_ros.training.net.pretrained import start_from
from carla_unet_ros.training.net.statistics import freeze_statistics
from carla_unet_ros.training.net.unet import UNet, parameter_count
from carla_unet_ros.training.options import OptionError, Options
from carla_unet_ros.training.run.learner import Learner
from carla_unet_ros.training.run.report import MeanLoss, report_epoch
from carla_unet_ros.training.run.validation import mean_score, validate
from carla_unet_ros.whole_files import prepare_folder, write_whole


class Run:
    """One training: its data, its net, and its history, epoch by epoch."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.labels = label_set(options.sources.labels)
        self.history: list[dict[str, float]] = []
        self.fabric = options.machine.launch()
        self.data = TrainingData.open(options.sources.folders(options.out), self.labels)
        self.pixels = class_pixels(self.data, len(self.labels))
        self.learner = Learner(self._first_net(), self._loss(), options.optimisation, self.fabric)

    @property
    def epoch(self) -> int:
        return len(self.history)

    def batches(self) -> Iterable[tuple[Tensor, Tensor]]:
        """This process's share of the epoch's batches, augmented, on its device."""
        asked, augmentation = self.options.optimisation, self.options.augmentation
        rare = self.options.rare
        frames = loading.EpochFrames(
            self.data.sources,
            self.data.shares,
            asked.frames,
            Augmentation(
                *augmentation.crop,
                rare=rare,
                relit=augmentation.relight,
                weather=augmentation.weather_drawn,
            ),
            seed=asked.seed,
            epoch=self.epoch,
            rare=rare,
            mix=augmentation.mix,
        )
        rank, processes = self.fabric.global_rank, self.fabric.world_size
        workers = self.options.machine.workers
        batches = loading.loader(frames, asked.batch, workers, rank, processes)
        batches = self.fabric.setup_dataloaders(batches, use_distributed_sampler=False)
        return loading.raise_errors(cast(Any, batches))

    def run_epoch(self) -> None:
        """Runs one epoch of optimisation and its validation, and adds it to the history."""
        loss = self._train_epoch()
        size = self.options.net.network_size
        scores = validate(self.learner.average.net, self.data.validation, size, self.fabric)
        self.history.append(
            {"loss": loss, "rate": self.learner.rate, "score": mean_score(scores)}
            | {f"mean IoU {name}": matrix.mean_iou() for name, matrix in scores.items()}
        )

    def state(self) -> dict[str, Any]:
        """The state for `restore`, export and the other tools."""
        return {
            "net_config": self.learner.average.net.config.as_dict(),
            "label_set": self.labels.to_json(),
            "network_size": list(self.options.net.network_size),
            "training_data": self.data.description,
            "epoch": self.epoch,
            "options": values_of(self.options),
            "history": self.history,
        } | self.learner.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Restores a state of `state`. InputError if it is another run's."""
        self.options.check_same_run(state["options"])
        self.learner.load_state_dict(state)
        self.history = state["history"]

    def save(self) -> None:
        """Writes checkpoints and the report of an epoch. best.pt is written first."""
        out = self.options.out
        if self.history[-1]["score"] >= max(entry["score"] for entry in self.history):
            write_checkpoint(out / "best.pt", self.state())
        write_checkpoint(out / "last.pt", self.state())
        report_epoch(self.history, out)

    def _first_net(self) -> UNet:
        """Random weights, the same in all processes, or those of --init."""
        torch.manual_seed(self.options.optimisation.seed)
        net = UNet(self.options.net.unet(len(self.labels)))
        net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if self.options.net.init:
            start_from(net, self.options.net.init, self.labels, self._some_frames)
            add_biases(net, self.labels, read_biases(self.options.net.init_bias))
        return net

    def _some_frames(self) -> Tensor:
        """A training batch: (N, 3, H, W), normalised, on the CPU."""
        colours, _ = next(iter(self.batches()))
        return normalise(colours.float() / 255).cpu()

    def _loss(self) -> losses.SegmentationLoss:
        asked = self.options.loss
        weights = losses.class_weights(self.pixels, asked.class_weight)
        return losses.SegmentationLoss(weights, asked.dice, asked.smoothing)

    def _train_epoch(self) -> float:
        """Returns the mean loss."""
        asked = self.options.optimisation
        # Seeded by epoch, so a resumed run draws the same numbers as an uninterrupted one.
        torch.manual_seed(asked.seed + 1000 * self.epoch + self.fabric.global_rank)
        self.learner.net.train()
        if self.options.net.frozen_statistics:
            freeze_statistics(self.learner.net)
        mean = MeanLoss(self.fabric.device)
        bar = tqdm(
            self.batches(),
            f"epoch {self.epoch + 1}/{asked.epochs}",
            self.learner.steps,
            leave=False,
            mininterval=1.0,
            disable=not self.fabric.is_global_zero,
        )
        bar.postfix = mean  # it is read only when the bar is drawn
        for colours, labels in bar:
            mean.add(self.learner.step(colours, labels))
        return float(mean)

    def __str__(self) -> str:
        net = self.learner.average.net
        parts = zip(self.labels.names, self.pixels, strict=True)
        unseen = [name for name, part in parts if not part]
        return (
            f"U-Net {net.config}, {parameter_count(net) / 1e6:.2f} million parameters, "
            f"on {self.fabric.device} in {self.options.machine.arithmetic}\n"
            f"data: {self.data.description}; {self.learner.steps} steps an epoch, "
            f"from epoch {self.epoch + 1}"
            + (f"\nnot in a sample of the training frames: {', '.join(unseen)}" if unseen else "")
        )


def train(options: Options) -> None:
    """Trains to the last epoch. OptionError if OUT holds a run and --resume is not given."""
    prepare_folder(options.out)
    last = options.out / "last.pt"
    if last.exists() and not options.resume:
        raise OptionError(
            f"{options.out} holds a run already; add --resume, or name another --out"
        )
    run = Run(options)
    if last.exists():
        try:
            run.restore(read_checkpoint(last))
        except KeyError as error:
            raise OptionError(
                f"{last} cannot be resumed, because it lacks {error}; a new run can start from it "
                "with --init"
            ) from error
    leader = run.fabric.is_global_zero
    if leader:
        again = yaml.safe_dump(values_of(replace(options, resume=False)), sort_keys=False)
        write_whole(options.out / "config.yaml", again)
        print(run)
        if options.net.init and not run.epoch:
            write_checkpoint(options.out / "first.pt", run.state())
    while run.epoch < options.optimisation.epochs:
        run.run_epoch()
        if leader:
            run.save()
        run.fabric.barrier()


def main(argv: list[str] | None = None) -> int:
    stopped = "stopped; the same command with --resume goes on from the last whole epoch"
    return run_command(Options, "carla_unet_train", train, argv, stopped=stopped)


if __name__ == "__main__":
    sys.exit(main())
