# SPDX-License-Identifier: Apache-2.0
"""When TensorRT is chosen, on which GPU, and what is told where it cannot run."""

import subprocess
import sys
from pathlib import Path

import pytest
from cuda_double import FakeCuda
from gpu_double import FakeTensorRT
from small_engine import needs_rtx

from carla_unet_ros.engines import EngineError, open_engine
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import engine as tensorrt_engine
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.engines.tensorrt_engine.engine import TensorRTEngine
from carla_unet_ros.model_file import Model, read_model

ROOT = Path(tensorrt_engine.__file__).parents[2]


@pytest.fixture
def model(small_model_path: Path) -> Model:
    return read_model(small_model_path)


@pytest.mark.usefixtures("no_driver")
def test_tensorrt_without_a_driver_is_an_error_that_names_it(model: Model) -> None:
    with pytest.raises(EngineError, match="tensorrt cannot run here: no NVIDIA driver is loaded"):
        open_engine(model, "tensorrt")


@pytest.mark.usefixtures("no_driver")
def test_auto_without_a_driver_is_openvino_and_the_reason_is_told_once(
    model: Model, lines: list[str]
) -> None:
    engine = open_engine(model, "auto", log=lines.append)
    assert isinstance(engine, OpenVINOEngine)
    assert len(lines) == 1
    assert "TensorRT cannot run here: no NVIDIA driver is loaded" in lines[0]
    assert engine.reason in lines[0]


@pytest.mark.usefixtures("no_driver")
def test_what_else_is_missing_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_library, "_MODULES", {"tensorrt_of_nowhere": "TensorRT"})
    driver, library = tensorrt_engine.missing().split("; ")
    assert "libcuda_that_is_not_there" in driver
    assert "pip install 'carla_unet_ros[tensorrt]'" in library


@pytest.mark.parametrize(
    ("call", "answer", "text"),
    [
        (
            "cudaGetDeviceCount",
            "cudaErrorInsufficientDriver",
            r"answers CUDA 13\.2, too old .*13\.5",
        ),
        ("cudaGetDeviceCount", "cudaErrorNoDevice", r"no CUDA device answers: cudaErrorNoDevice"),
    ],
)
def test_a_driver_without_a_device_is_named(
    fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch, call: str, answer: str, text: str
) -> None:
    error = getattr(FakeCuda.cudaError_t, answer)
    monkeypatch.setattr(fake.cuda, call, lambda: (error, None))
    pytest.importorskip("cuda.bindings.runtime")
    with pytest.raises(EngineError, match=text):
        raise EngineError(tensorrt_engine.missing())


def test_the_modules_import_without_tensorrt_and_cuda() -> None:
    script = (
        "import sys\n"
        "libraries = 'tensorrt', 'tensorrt_bindings', 'tensorrt_rtx', 'tensorrt_rtx_bindings'\n"
        "sys.modules.update(dict.fromkeys((*libraries, 'cuda', 'cuda.bindings.runtime')))\n"
        "import carla_unet_ros.engines.build_engine\n"
        "from carla_unet_ros.engines.tensorrt_engine import cuda, engine\n"
        "cuda._DRIVER = None\n"
        "print(engine.missing())\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "cuda-bindings cannot be imported" in answer.stdout
    assert "no TensorRT is installed" in answer.stdout


@pytest.mark.usefixtures("fake")
def test_auto_on_a_gpu_is_tensorrt_and_says_so(
    model: Model, tmp_path: Path, lines: list[str]
) -> None:
    engine = open_engine(model, "auto", tmp_path / "cache", lines.append)
    assert isinstance(engine, TensorRTEngine)
    assert engine.name == f"{tensorrt_library.library()} Fake GPU fp32"
    assert lines == [f"engine {engine.name} (a GPU and TensorRT are there)"]
    engine.close()


@needs_rtx
@pytest.mark.usefixtures("fake")
def test_a_gpu_the_library_does_not_list_is_left_to_openvino_unless_asked_for(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hopper = cuda.Device("Fake GPU", "9.0", "13.0")
    monkeypatch.setattr(cuda, "device", lambda _number: hopper)
    engine = open_engine(model, "auto", tmp_path, print)
    assert isinstance(engine, OpenVINOEngine)
    assert "does not list GPUs of compute capability 9.0" in engine.reason
    assert isinstance(open_engine(model, "tensorrt", tmp_path, print), TensorRTEngine)


@pytest.mark.usefixtures("fake")
def test_a_gpu_that_is_not_there_is_a_sentence(model: Model, tmp_path: Path) -> None:
    message = r"tensorrt cannot run on cuda:1: there is no CUDA device cuda:1; those .*: cuda:0$"
    with pytest.raises(EngineError, match=message):
        open_engine(model, cache=tmp_path, device="cuda:1")
