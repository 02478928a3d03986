# SPDX-License-Identifier: Apache-2.0
"""Which arithmetic a training uses where none is named."""

import pytest

torch = pytest.importorskip("torch")

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
    accelerator: str,
    expected: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: cpu)
    assert Machine(accelerator=accelerator).arithmetic == expected


def test_what_is_named_is_used() -> None:
    assert Machine(precision="fp16").arithmetic == "fp16"
    assert str(Machine("bf16", "cpu", "1").launch().device) == "cpu"
