# SPDX-License-Identifier: Apache-2.0
"""Which arithmetic a training uses where none is named."""

import os
from typing import Literal

import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.errors import InputError
from carla_unet_ros.training.run.devices import Machine

pytestmark = pytest.mark.training


@pytest.mark.parametrize(
    ("gpu", "bf16", "cpu", "accelerator", "expected"),
    [
        (True, True, "AVX2", "auto", "bf16"),
        (True, False, "AVX2", "auto", "fp16"),
        (True, True, "AVX2", "cpu", "fp32"),
        (False, False, "AVX512", "auto", "bf16"),
        (False, False, "AVX2", "auto", "fp32"),
    ],
)
def test_auto_is_the_narrowest_that_is_fast(
    monkeypatch: pytest.MonkeyPatch,
    gpu: bool,
    bf16: bool,
    cpu: str,
    accelerator: Literal["auto", "cpu"],
    expected: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: cpu)
    assert Machine(accelerator=accelerator).arithmetic == expected


def test_what_is_named_is_used() -> None:
    assert Machine(precision="fp16").arithmetic == "fp16"
    assert str(Machine("bf16", "cpu", "1").launch().device) == "cpu"


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"--accelerator cuda: torch .* finds no CUDA device"):
        Machine("fp32", "cuda").launch()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="--devices 3: there are 2 CUDA devices"):
        Machine("fp32", devices="3").launch()
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    with pytest.raises(InputError, match="--devices 9: on a CPU each is a process, and there are"):
        Machine("fp32", "cpu", "9").launch()
    with pytest.raises(InputError, match="--devices two: expected a number"):
        Machine(devices="two")
