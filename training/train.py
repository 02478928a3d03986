"""Trains the U-Net: `carla_unet_train --data DIR... --tags VERSION... --out RUN`.

RUN/best.pt         the epoch with the highest validation score, for carla_unet_export
RUN/last.pt         the last whole epoch, for --resume
RUN/curves.png      loss and mean IoU by epoch; the same goes to TensorBoard in RUN/tensorboard

Processes and devices are Lightning Fabric's business: the same command runs on a CPU, on one
GPU, or under torchrun on many, and so many processes learn what one would from a batch so many
times as large.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from carla_unet_ros.labels import label_set
from carla_unet_ros.model_file import ModelError
from carla_unet_ros.training import plots
from carla_unet_ros.training.data import loading
from carla_unet_ros.training.data.augmentation import Augmentation
from carla_unet_ros.training.data.folders import DataError
from carla_unet_ros.training.data.sources import TrainingData, class_pixels
from carla_unet_ros.training.data.weather import Weather
from carla_unet_ros.training.net import losses
from carla_unet_ros.training.net.checkpoints import (
    CheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from carla_unet_ros.training.net.distributed import share_statistics
from carla_unet_ros.training.net.frame_graph import normalise
from carla_unet_ros.training.net.pretrained import start_from
from carla_unet_ros.training.net.unet import UNet, UNetConfig, parameter_count
from carla_unet_ros.training.options import OptionError, Options, parse
from carla_unet_ros.training.validation import mean_score, validate


class Run:
    """One training run: net, its moving average, optimiser, schedule and history."""

    def __init__(self, options: Options, data: TrainingData) -> None:
        self.options = options
        self.data = data
        self.history: list[dict[str, float]] = []
        self.labels = label_set(options.labels)
        self.fabric = _fabric(options)
        self.fabric.launch()
        torch.manual_seed(options.seed)
        self.config = UNetConfig(
            len(self.labels),
            options.channels,
            options.depth,
            options.stem,
            options.max_channels,
            not options.no_skips,
            options.dropout,
        )
        _check_sizes(options, self.config.multiple)
        net = UNet(self.config)
        net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if options.init:
            start_from(net, options.init, self.labels, self.some_frames)
        if self.fabric.world_size > 1:
            share_statistics(net)
        optimizer = torch.optim.AdamW(
            net.parameters(), lr=options.rate, weight_decay=options.weight_decay
        )
        self.net, self.optimizer = self.fabric.setup(net, optimizer)
        self.average = AveragedModel(
            net, multi_avg_fn=_moving_average(options.average), use_buffers=True
        )
        self.steps = options.frames // (options.batch * self.fabric.world_size)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, options.rate, options.epochs * self.steps, pct_start=0.1
        )
        weights = losses.class_weights(class_pixels(data, len(self.labels)), options.class_weight)
        self.loss = losses.SegmentationLoss(weights, options.dice, options.smoothing)
        self.loss.to(self.fabric.device)

    @property
    def epoch(self) -> int:
        return len(self.history)

    @property
    def averaged_net(self) -> UNet:
        """The net whose weights are the moving average: what is validated and exported."""
        net = self.average.module
        assert isinstance(net, UNet)
        return net

    def train_epoch(self) -> float:
        """One epoch of optimisation; returns the mean loss."""
        # Dropout's dice: those of an epoch, whether or not the run was ever broken off.
        torch.manual_seed(self.options.seed + 1000 * self.epoch + self.fabric.global_rank)
        self.net.train()
        total = torch.zeros((), device=self.fabric.device)
        bar = tqdm(
            self.batches(),
            f"epoch {self.epoch + 1}/{self.options.epochs}",
            leave=False,
            disable=not self.fabric.is_global_zero,
        )
        for colours, labels in bar:
            loss = self.step(colours, labels)
            total += loss
            bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        return float(total / self.steps)

    def some_frames(self) -> Tensor:
        """A batch as trained on: (N, 3, H, W), normalised, on the CPU."""
        return normalise(next(iter(self.batches()))[0]).cpu()

    def batches(self) -> Iterable[tuple[Tensor, Tensor]]:
        """This process's share of the epoch's batches, augmented, on its device."""
        width, height = self.options.crop
        frames = loading.EpochFrames(
            self.data.sources,
            self.options.shares,
            self.options.frames,
            Augmentation(
                width,
                height,
                rare=self.data.rare,
                relit=self.options.relight,
                weather=Weather(self.options.weather, self.options.bonnet),
            ),
            self.options.seed,
            self.epoch,
            self.data.rare,
            self.options.mix,
        )
        rank, processes = self.fabric.global_rank, self.fabric.world_size
        batches = loading.loader(frames, self.options.batch, self.options.workers, rank, processes)
        return cast(Any, self.fabric.setup_dataloaders(batches, use_distributed_sampler=False))

    def step(self, colours: Tensor, labels: Tensor) -> Tensor:
        """One step of the optimiser; returns the loss of the batch of all processes."""
        colours = normalise(colours).contiguous(memory_format=torch.channels_last)
        logits, labels = (
            losses.one_of_each_block(values, self.config.stem, self.schedule.last_epoch)
            for values in (self.net(colours), labels)
        )
        loss = self.loss(logits, labels)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.net, self.optimizer, max_norm=5.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()
        self.average.update_parameters(self.net.module)
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """All that `restore` and the tools after training need."""
        return {
            "net_config": self.config.as_dict(),
            "label_set": self.labels.to_json(),
            "network_size": list(self.options.network_size),
            "training_data": self.data.description,
            "epoch": self.epoch,
            "options": self.options.as_dict(),
            "history": self.history,
            "net": self.net.module.state_dict(),
            "average": self.average.module.state_dict(),
            "averaged": int(self.average.n_averaged),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where `state` was taken. OptionError where it is another run's state."""
        self.options.check_same_run(state["options"])
        steps = state["schedule"]["total_steps"] // self.options.epochs
        if steps != self.steps:
            raise OptionError(
                f"{self.options.out} was started with {steps} steps an epoch, but "
                f"{self.fabric.world_size} processes make it {self.steps}: resume with as many "
                "processes as it was started with"
            )
        self.net.module.load_state_dict(state["net"])
        self.average.module.load_state_dict(state["average"])
        self.average.n_averaged.fill_(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = state["history"]


def train(options: Options) -> list[dict[str, float]]:
    """Trains to the last epoch and returns the history: one dict of figures an epoch."""
    last = options.out / "last.pt"
    if last.exists() and not options.resume:
        raise OptionError(
            f"{options.out} holds a run already; add --resume, or name another --out"
        )
    run = Run(options, TrainingData.open(options))
    if options.resume and last.exists():
        run.restore(read_checkpoint(last))
    leader = run.fabric.is_global_zero
    if leader:
        options.out.mkdir(parents=True, exist_ok=True)
        print(_introduction(run))
    while run.epoch < options.epochs:
        loss = run.train_epoch()
        scores = validate(run.averaged_net, run.data.validation, options, run.fabric)
        run.history.append(
            {"loss": loss, "rate": run.schedule.get_last_lr()[0], "score": mean_score(scores)}
            | {f"mean IoU {name}": matrix.mean_iou() for name, matrix in scores.items()}
        )
        if leader:
            _save(run, last)
        run.fabric.barrier()
    return run.history


def _save(run: Run, last: Path) -> None:
    """Checkpoints, curves and TensorBoard after an epoch; best.pt first, so last.pt implies it."""
    figures = run.history[-1]
    if figures["score"] >= max(entry["score"] for entry in run.history):
        write_checkpoint(run.options.out / "best.pt", run.state())
    write_checkpoint(last, run.state())
    (run.options.out / "history.json").write_text(json.dumps(run.history, indent=1))
    plots.learning_curves(run.history, run.options.out / "curves.png")
    with SummaryWriter(str(run.options.out / "tensorboard")) as writer:
        for name, value in figures.items():
            writer.add_scalar(name, value, run.epoch)
    summary = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
    print(f"epoch {run.epoch}: {summary}", flush=True)


def _introduction(run: Run) -> str:
    return (
        f"U-Net {run.config}, {parameter_count(run.net) / 1e6:.2f} million parameters, "
        f"on {run.fabric.device} in {run.fabric._precision.precision}\n"
        f"data: {run.data.description}; {run.steps} steps an epoch, from epoch {run.epoch + 1}"
    )


def _fabric(options: Options) -> Fabric:
    """Under torchrun it is torchrun that says how many processes there are, and where."""
    devices, machines = options.devices, 1
    if torch.distributed.is_torchelastic_launched():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        machines = int(os.environ["WORLD_SIZE"]) // devices
    return Fabric(
        accelerator=options.accelerator,
        devices=devices,
        num_nodes=machines,
        precision=_precision(options),
    )


def _precision(options: Options) -> Any:
    """Fabric's word for the arithmetic: the narrowest this machine multiplies fast."""
    if options.precision != "auto":
        return {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}[options.precision]
    if torch.cuda.is_available() and options.accelerator != "cpu":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "bf16-mixed" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "32-true"


def _check_sizes(options: Options, multiple: int) -> None:
    """OptionError for sizes that the net cannot halve as often as it is deep."""
    for name, sides in (("--crop", options.crop), ("--network-size", options.network_size)):
        if any(side < multiple or side % multiple for side in sides):
            width, height = (max(1, round(side / multiple)) * multiple for side in sides)
            raise OptionError(
                f"{name} {sides[0]}x{sides[1]}: this net needs multiples of {multiple}, such as "
                f"{width}x{height}"
            )


def _moving_average(decay: float) -> Callable[..., None]:
    """Exponential moving average that forgets the random start: it begins as a plain mean."""

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], averaged: Tensor) -> None:
        weight = max(1 - decay, 9 / (10 + averaged.item()))
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value, weight)
            else:
                average.copy_(value)  # batch counters of the normalisation layers

    return update


def main(argv: list[str] | None = None) -> int:
    try:
        train(parse(argv))
    except (OptionError, DataError, CheckpointError, ModelError) as error:
        print(f"carla_unet_train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command with --resume goes on from the last whole epoch")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
