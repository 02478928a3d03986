# SPDX-License-Identifier: Apache-2.0
"""Fixtures of several tests of engines."""

import pytest
from gpu_double import FakeTensorRT, fake_gpu

from carla_unet_ros.engines.tensorrt_engine import cuda


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRT:
    """A GPU, and a TensorRT that really builds and seems to run; `fake.cuda` is the GPU."""
    return fake_gpu(monkeypatch)


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_DRIVER", "libcuda_that_is_not_there.so.1")


@pytest.fixture
def lines() -> list[str]:
    """What an engine said, where its log is `lines.append`."""
    return []
