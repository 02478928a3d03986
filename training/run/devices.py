# SPDX-License-Identifier: Apache-2.0
"""Chooses processes, devices and precision with Lightning Fabric: a CPU, a GPU, or torchrun."""

import os
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning_fabric import Fabric

_FABRIC: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True)
class Machine:
    """The devices to train on; `torchrun` starts several processes."""

    # arithmetic; auto: the narrowest that is fast here
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    accelerator: str = "auto"  # auto, cpu, cuda
    devices: str = "auto"  # number of devices, or auto
    workers: int = 2  # processes that read and augment

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
        """Starts the processes and devices. Under torchrun, torchrun sets their numbers."""
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
