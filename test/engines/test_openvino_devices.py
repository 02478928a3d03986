# SPDX-License-Identifier: Apache-2.0
"""On which of Intel's devices OpenVINO runs a model, with how many threads."""

from pathlib import Path

import numpy as np
import openvino
import pytest
from tiny_model import painted

from carla_unet_ros.engines import EngineError, open_engine, openvino_engine
from carla_unet_ros.engines.openvino_engine import OpenVINOEngine, openvino_core
from carla_unet_ros.model_file import Model, read_model


@pytest.fixture
def model(tiny_model_path: Path) -> Model:
    return read_model(tiny_model_path)


LABELS = np.random.default_rng(0).integers(0, 13, (4, 6), np.uint8)
FRAME = painted(LABELS)


class IntelMachine:
    """OpenVINO where there are Intel's devices, too; what it compiles for them, the CPU runs.

    asked: device and config of each compilation
    """

    def __init__(self, devices: list[str]) -> None:
        self._core = openvino_core()
        self.available_devices = devices
        self.asked: list[tuple[str, dict[str, str | int]]] = []

    def read_model(self, content: bytes) -> openvino.Model:
        return self._core.read_model(content)

    def get_property(self, device: str, name: str) -> object:
        if device == "CPU":
            return self._core.get_property(device, name)
        return {
            "FULL_DEVICE_NAME": f"Intel(R) {device} (iGPU)",
            "OPTIMIZATION_CAPABILITIES": ["FP32", "FP16", "INT8"],
        }[name]

    def compile_model(
        self, graph: openvino.Model, device: str, config: dict[str, str | int]
    ) -> openvino.CompiledModel:
        self.asked.append((device, config))
        return self._core.compile_model(graph, "CPU", {})


@pytest.fixture
def intel(monkeypatch: pytest.MonkeyPatch) -> IntelMachine:
    machine = IntelMachine(["CPU", "GPU.0", "GPU.1", "NPU"])
    monkeypatch.setattr(openvino_engine, "openvino_core", lambda: machine)
    return machine


@pytest.mark.parametrize(
    ("device", "plugin", "name"),
    [
        ("auto", "CPU", " CPU "),
        ("cpu", "CPU", " CPU "),
        ("gpu", "GPU", " GPU Intel(R) GPU (iGPU) f16"),
        ("npu", "NPU", " NPU Intel(R) NPU (iGPU) f16"),
    ],
)
def test_the_device_that_was_asked_for_runs_the_model_and_stands_in_the_name(
    intel: IntelMachine, model: Model, device: str, plugin: str, name: str
) -> None:
    engine = open_engine(model, "openvino", device=device)
    assert name in engine.name
    assert engine.reason == ("asked for" if device == "auto" else f"{device} was asked for")
    engine.infer(FRAME)
    assert intel.asked == [(plugin, {"PERFORMANCE_HINT": "LATENCY"})]


@pytest.mark.parametrize(("device", "file"), [("gpu", "/dev/dri/render"), ("npu", "/dev/accel/")])
def test_a_device_that_is_not_there_is_a_sentence_with_what_to_install(
    intel: IntelMachine, model: Model, device: str, file: str
) -> None:
    intel.available_devices = ["CPU"]
    message = rf"engine openvino cannot run on {device}: .* only CPU: install .*{file}"
    with pytest.raises(EngineError, match=message):
        open_engine(model, device=device)
    with pytest.raises(EngineError, match=f"OpenVINO finds no {device.upper()}, only CPU"):
        OpenVINOEngine(model, device=device)


def test_threads_bound_the_cpu_and_stand_in_the_name(model: Model) -> None:
    engine = OpenVINOEngine(model, threads=1)
    assert " CPU (at most 1 threads) " in engine.name
    np.testing.assert_array_equal(engine.infer(FRAME)[0], LABELS)
    request = engine._compiled.get(4, 6, engine._compile)._request
    assert request is not None
    assert request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == 1


def test_threads_are_not_for_other_devices(intel: IntelMachine, model: Model) -> None:
    engine = open_engine(model, device="gpu", threads=2)
    engine.prepare(4, 6)
    assert intel.asked == [("GPU", {"PERFORMANCE_HINT": "LATENCY"})]
