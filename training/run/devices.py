# SPDX-License-Identifier: Apache-2.0
"""Chooses processes, devices and precision with Lightning Fabric: a CPU, a GPU, or torchrun."""

import os
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning_fabric import Fabric

from carla_unet_ros.errors import InputError

_FABRIC: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True)
class Machine:
    """The devices to train on; `torchrun` starts several processes."""

    # arithmetic; auto: the narrowest that is fast here
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"  # kind of device
    devices: str = "auto"  # number of devices, or auto
    workers: int = 2  # processes that read and augment

    def __post_init__(self) -> None:
        if self.devices != "auto" and not (self.devices.isdecimal() and int(self.devices) > 0):
            raise InputError(f"--devices {self.devices}: expected a number above 0, or auto")

    @property
    def arithmetic(self) -> str:
        """The precision in use; auto is the narrowest that is fast on this machine."""
        if self.precision != "auto":
            return self.precision
        if self.accelerator != "cpu" and torch.cuda.is_available():
            return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
        return "bf16" if wide and torch.backends.mkldnn.is_available() else "fp32"

    def launch(self) -> Fabric:
        """Starts the processes and devices. Under torchrun, torchrun sets their numbers.

        Raises InputError if there is no such device.
        """
        self._check_devices()
        devices, nodes = self.devices, 1
        if torch.distributed.is_torchelastic_launched():
            devices = int(os.environ["LOCAL_WORLD_SIZE"])
            nodes = int(os.environ["WORLD_SIZE"]) // devices
        fabric = Fabric(
            accelerator=self.accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=_FABRIC[self.arithmetic],
        )
        fabric.launch()
        return fabric

    def _check_devices(self) -> None:
        if self.accelerator == "cuda" and not torch.cuda.is_available():
            raise InputError(
                f"--accelerator cuda: torch {torch.__version__} finds no CUDA device; see whether "
                "nvidia-smi lists one, or train with --accelerator cpu"
            )
        if self.devices == "auto":
            return
        found = 0 if self.accelerator == "cpu" else torch.cuda.device_count()
        if found and int(self.devices) > found:
            raise InputError(f"--devices {self.devices}: there are {found} CUDA devices")
        cores = os.cpu_count() or 1
        if not found and int(self.devices) > cores:
            raise InputError(
                f"--devices {self.devices}: on a CPU each is a process, and there are {cores} "
                "cores"
            )
