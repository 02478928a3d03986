# SPDX-License-Identifier: Apache-2.0
"""The TensorRT engine on a real GPU: `pytest -m gpu`.

Without a CUDA device and a TensorRT library all of it is skipped, and says what is missing; what
can be told without one is in tensorrt_engine/test_engine.py.
"""

from pathlib import Path

import numpy as np
import pytest
import small_net

from carla_unet_ros.engines import open_engine
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import engine as tensorrt_engine
from carla_unet_ros.model_file import SHIPPED_MODEL, Model, read_model
from carla_unet_ros.segmenter import Segmenter
from carla_unet_ros.stand_in.drive import Drive

WHY_NO_GPU = tensorrt_engine.missing()

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(bool(WHY_NO_GPU), reason=f"needs a GPU: {WHY_NO_GPU}"),
]


@pytest.fixture
def gpu_model(tmp_path: Path) -> Model:
    """The shipped model where it is there: what is compared should be worth comparing."""
    if SHIPPED_MODEL.exists():
        return read_model()
    return read_model(small_net.write(tmp_path / "small.onnx"))


def smooth_frame(height: int, width: int) -> np.ndarray:
    """Colours that run over the frame: no two classes tie as they do in noise."""
    rows = np.linspace(0, 1, height)[:, None, None]
    columns = np.linspace(0, 1, width)[None, :, None]
    waves = np.sin(rows * [7, 11, 5, 0] + columns * [3, 9, 13, 0])
    return np.ascontiguousarray((127 + 120 * waves).astype(np.uint8))


@pytest.mark.parametrize(("height", "width"), [(600, 800), (1080, 1920)])
def test_a_gpu_gives_openvinos_labels(
    gpu_model: Model, tmp_path: Path, height: int, width: int
) -> None:
    frame = np.ascontiguousarray(Drive(width, height).frame(50).frame)
    engine = open_engine(gpu_model, "tensorrt", tmp_path)
    reference = OpenVINOEngine(gpu_model, precision="f32")
    labels, confidence = engine.infer(frame)
    expected, expected_confidence = reference.infer(frame)
    assert (labels == expected).mean() >= 0.999
    assert np.abs(confidence.astype(int) - expected_confidence).mean() < 2
    engine.close()


def resident_memory() -> int:
    """Of this process, in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_ten_thousand_frames_need_no_more_memory_than_a_hundred(
    gpu_model: Model, tmp_path: Path
) -> None:
    engine = open_engine(gpu_model, "tensorrt", tmp_path)
    frames = [smooth_frame(600, 800), smooth_frame(1080, 1920)]
    for turn in range(100):
        engine.infer(frames[turn % 2])
    gpu_before, host_before = cuda.free_memory(), resident_memory()
    for turn in range(10_000):
        engine.infer(frames[turn % 2])
    assert gpu_before - cuda.free_memory() <= 2**20
    assert resident_memory() - host_before <= 32 * 2**20
    engine.close()


def test_closing_and_opening_again_leaks_no_gpu_memory(gpu_model: Model, tmp_path: Path) -> None:
    frame = smooth_frame(600, 800)
    free = []
    for _ in range(5):
        engine = open_engine(gpu_model, "tensorrt", tmp_path)
        first = engine.infer(frame)[0]
        np.testing.assert_array_equal(engine.infer(frame)[0], first)
        engine.close()
        free.append(cuda.free_memory())
    # The first opening loads the kernels, which CUDA keeps.
    assert free[0] - free[-1] <= 2 * 2**20


def test_the_segmenter_on_a_gpu_runs_frames_as_one_graph(gpu_model: Model, tmp_path: Path) -> None:
    segmenter = Segmenter(gpu_model.path, "tensorrt", tmp_path)
    segmenter.segment(smooth_frame(600, 800))
    assert "no CUDA graph" not in segmenter.engine.name
    segmenter.close()
