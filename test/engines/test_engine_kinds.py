# SPDX-License-Identifier: Apache-2.0
"""Which engine is chosen, why, and with which of the shipped files."""

import dataclasses
from pathlib import Path
from typing import get_args

import pytest

from carla_unet_ros.engines import (
    ENGINE_KINDS,
    KINDS,
    EngineError,
    EngineName,
    choose_engine,
    open_engine,
    openvino_engine,
)
from carla_unet_ros.model_file import read_model
from carla_unet_ros.segmenter import shipped_model


def machine(
    monkeypatch: pytest.MonkeyPatch, tensorrt: str = "", doubt: str = "", openvino: str = ""
) -> None:
    """Makes up what the engines lack here."""
    for name, lack in (("tensorrt", tensorrt), ("openvino", openvino)):
        kind = dataclasses.replace(
            KINDS[name],
            missing=lambda _device, lack=lack: lack,
            doubt=lambda _device, name=name: doubt if name == "tensorrt" else "",
        )
        monkeypatch.setitem(KINDS, name, kind)


def test_users_choose_between_auto_and_the_kinds() -> None:
    assert ENGINE_KINDS == ("auto", "tensorrt", "openvino")


def test_auto_takes_tensorrt_where_it_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    assert choose_engine() == (KINDS["tensorrt"], "a GPU and TensorRT are there")


@pytest.mark.parametrize("lack", [{"tensorrt": "no GPU"}, {"doubt": "no GPU"}])
def test_auto_says_why_it_does_not_take_tensorrt(
    monkeypatch: pytest.MonkeyPatch, lack: dict[str, str]
) -> None:
    machine(monkeypatch, **lack)
    assert choose_engine() == (KINDS["openvino"], "TensorRT cannot run here: no GPU")


def test_an_engine_asked_for_is_tried_although_it_is_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, doubt="an unknown GPU")
    assert choose_engine("tensorrt") == (KINDS["tensorrt"], "asked for")


@pytest.mark.parametrize("name", ["tensorrt", "openvino"])
def test_an_engine_asked_for_that_lacks_something_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    machine(monkeypatch, tensorrt="no driver", openvino="no driver")
    with pytest.raises(EngineError, match=f"^engine {name} cannot run here: no driver$"):
        choose_engine(name)


def test_where_nothing_can_run_all_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, tensorrt="no driver", openvino="no package")
    with pytest.raises(EngineError, match=r"^no engine .*TensorRT .*no driver; OpenVINO .*packa"):
        choose_engine()


def test_a_machine_without_openvino_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise ImportError("No module named 'openvino'")

    monkeypatch.setattr(openvino_engine, "openvino_core", fail)
    with pytest.raises(EngineError, match=r"openvino cannot run here: .*pip install openvino"):
        choose_engine("openvino")


def test_unknown_engines_are_refused(tiny_model_path: Path) -> None:
    with pytest.raises(EngineError, match="'fpga' is unknown; expected one of auto, tensorrt, op"):
        open_engine(read_model(tiny_model_path), "fpga")


@pytest.mark.parametrize(
    ("device", "kind"),
    [("cuda:0", "tensorrt"), ("cuda:12", "tensorrt")]
    + [(device, "openvino") for device in ("cpu", "gpu", "npu")],
)
def test_a_device_brings_its_engine(
    monkeypatch: pytest.MonkeyPatch, device: str, kind: str
) -> None:
    machine(monkeypatch, doubt="an unknown GPU")
    assert choose_engine("auto", device) == (KINDS[kind], f"{device} was asked for")
    assert choose_engine(kind, device) == (KINDS[kind], f"{device} was asked for")


@pytest.mark.parametrize(
    ("kind", "device", "message"),
    [
        ("tensorrt", "cpu", "engine tensorrt does not run on cpu; its devices are cuda:N"),
        ("openvino", "cuda:0", "openvino does not run on cuda:0; its devices are cpu, gpu, npu"),
        ("auto", "tpu", "device 'tpu' is unknown; expected one of auto, cuda:N, cpu, gpu, npu"),
        ("auto", "cuda", "device 'cuda' is unknown"),
        ("auto", "cuda:N", "device 'cuda:N' is unknown"),
        ("auto", "cuda:-1", "device 'cuda:-1' is unknown"),
        ("auto", "", "device '' is unknown"),
    ],
)
def test_a_device_that_does_not_fit_is_a_sentence(kind: str, device: str, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        choose_engine(kind, device)


def test_a_device_that_lacks_something_is_an_error_not_another_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, tensorrt="no driver")
    with pytest.raises(EngineError, match="engine tensorrt cannot run on cuda:1: no driver"):
        choose_engine("auto", "cuda:1")


@pytest.mark.parametrize("threads", [-1, 1025])
def test_threads_out_of_range_are_refused(tiny_model_path: Path, threads: int) -> None:
    with pytest.raises(EngineError, match=rf"threads are {threads}; expected 1 to 1024, or 0"):
        open_engine(read_model(tiny_model_path), threads=threads)


def shipped(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> None:
    """A package with these model files in it."""
    for name in names:
        (folder / name).touch()
    for kind in list(KINDS.values()):
        paths = tuple(folder / path.name for path in kind.shipped_models)
        row = dataclasses.replace(kind, shipped_models=paths, missing=lambda _device: "")
        monkeypatch.setitem(KINDS, kind.name, row)


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        ("tensorrt", ["carla_unet.onnx", "carla_unet_fp16.onnx"], "carla_unet_fp16.onnx"),
        ("tensorrt", ["carla_unet.onnx"], "carla_unet.onnx"),
        ("openvino", ["carla_unet.onnx", "carla_unet_int8.onnx"], "carla_unet_int8.onnx"),
    ],
)
def test_each_engine_has_its_form_of_the_shipped_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, names: list[str], expected: str
) -> None:
    shipped(monkeypatch, tmp_path, *names)
    assert shipped_model(kind) == tmp_path / expected


def test_the_names_for_type_checkers_are_those_of_the_table() -> None:
    assert get_args(EngineName) == ENGINE_KINDS
