# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that are damaged: refused in a sentence, or the same weights as before."""

import io
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st
from mutations import mutated
from torch import Tensor

from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.net.checkpoints import CheckpointError, read_trained_net
from carla_unet_ros.training.net.unet import UNet, UNetConfig

pytestmark = [pytest.mark.training, pytest.mark.once]

CONFIG = UNetConfig(channels=1, depth=1)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoint") / "damaged.pt"


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return UNet(CONFIG).state_dict()


@pytest.fixture(scope="module")
def content(weights: dict[str, Tensor]) -> bytes:
    state = {
        "net_config": CONFIG.as_dict(),
        "average": weights,
        "label_set": carla_13().to_json(),
        "network_size": [4, 4],
        "training_data": "none",
        "epoch": 1,
    }
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


@given(st.data())
def test_a_damaged_checkpoint_is_refused_or_gives_its_weights(
    file: Path, content: bytes, weights: dict[str, Tensor], data: st.DataObject
) -> None:
    file.write_bytes(data.draw(mutated(content) | st.binary(max_size=64)))
    try:
        found = read_trained_net(file).net.state_dict()
    except CheckpointError:
        return
    assert all(torch.equal(found[name], weight) for name, weight in weights.items())
