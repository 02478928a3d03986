# SPDX-License-Identifier: Apache-2.0
"""Reads and writes checkpoints: the state needed to resume a run or to export its net."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from carla_unet_ros.errors import InputError
from carla_unet_ros.input_files import check_regular
from carla_unet_ros.labels import LabelSet
from carla_unet_ros.training.net.unet import UNet, UNetConfig
from carla_unet_ros.whole_files import write_whole

_KEYS = {"net_config", "average", "label_set"}


class CheckpointError(InputError):
    """A checkpoint that cannot be used; the text says why."""


@dataclass(frozen=True)
class TrainedNet:
    """The parts of a checkpoint that evaluation, export and quantisation need."""

    net: UNet
    label_set: LabelSet
    network_size: tuple[int, int]
    training_data: str
    epoch: int


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes a new file and renames it: a kill at any moment leaves the old file or the new.

    The file is a zip archive, which holds a checksum (CRC-32) of each of its parts.
    """
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(path, content.getvalue())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint and compares its checksums.

    Raises CheckpointError if it is missing, damaged, or no checkpoint of this project.
    """
    try:
        check_regular(path)
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror}") from error
    if not content:
        raise CheckpointError(f"checkpoint {path} is empty")
    try:
        # torch itself does not compare the checksums.
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
        state = None if damaged else torch.load(io.BytesIO(content), "cpu", weights_only=True)
    except Exception as error:  # torch also raises errors of pickle and zip
        # Without torch's text, which may advise to load the file in an unsafe way.
        raise CheckpointError(
            f"checkpoint {path} is damaged, or was not written by carla_unet_train"
        ) from error
    if damaged:
        raise CheckpointError(
            f"checkpoint {path} is damaged: the checksum of its part {damaged} is wrong"
        )
    if not isinstance(state, dict) or not state.keys() >= _KEYS:
        raise CheckpointError(f"checkpoint {path} was not written by carla_unet_train")
    return state


def read_trained_net(path: Path, *others: Path) -> TrainedNet:
    """The averaged weights of a checkpoint, in evaluation mode; of several, the mean of theirs.

    Nets that continue one training have a useful mean: on new data it is often better than each of
    them (model soups, Wortsman et al. 2022).

    Raises CheckpointError.
    """
    states = [read_checkpoint(one) for one in (path, *others)]
    state = states[0]
    for other, found in zip(others, states[1:], strict=True):
        if found["label_set"] != state["label_set"] or _shapes(found) != _shapes(state):
            raise CheckpointError(f"{other} and {path} hold different nets: they have no mean")
    try:
        net = UNet(UNetConfig(**state["net_config"]))
        net.load_state_dict(_mean([one["average"] for one in states]))
        width, height = state["network_size"]
        about = str(state["training_data"]), int(state["epoch"])
    except KeyError as error:
        raise CheckpointError(f"checkpoint {path} lacks {error}; expected one of a run") from error
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"checkpoint {path} holds another net than this release makes ({reason}); training "
            "can start from it: carla_unet_train --init"
        ) from error
    labels = LabelSet.from_json(state["label_set"])
    return TrainedNet(net.eval(), labels, (width, height), *about)


def _shapes(state: dict[str, Any]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state["average"].items()}


def _mean(weights: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Averages states by name; takes the last of integers, such as counters."""
    return {
        name: torch.stack([one[name] for one in weights]).mean(0)
        if value.is_floating_point()
        else value
        for name, value in weights[-1].items()
    }
