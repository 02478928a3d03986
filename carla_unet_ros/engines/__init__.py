# SPDX-License-Identifier: Apache-2.0
"""Engines run a model file: TensorRT on a GPU, OpenVINO on a CPU, behind one protocol.

    engine = open_engine(read_model("net.onnx"))       # the best engine that runs here
    labels, confidence = engine.infer(frame)           # [H, W, 4] -> twice [H, W], all uint8
    engine.close()

`engine_kinds.py` lists the engines and chooses one; `engine.py` defines the protocol. The engines
are in `openvino_engine.py` and in the folder `tensorrt_engine`. Both keep what they prepared for a
frame size in `size_cache.py`.
"""

from carla_unet_ros.engines.engine import Engine, EngineError, Log
from carla_unet_ros.engines.engine_kinds import (
    DEVICES,
    ENGINE_KINDS,
    KINDS,
    MOST_THREADS,
    EngineKind,
    EngineName,
    check_device,
    choose_engine,
    open_engine,
)
from carla_unet_ros.engines.size_cache import SECONDS_TO_RETRY, SIZES_KEPT

__all__ = [
    "DEVICES",
    "ENGINE_KINDS",
    "KINDS",
    "MOST_THREADS",
    "SECONDS_TO_RETRY",
    "SIZES_KEPT",
    "Engine",
    "EngineError",
    "EngineKind",
    "EngineName",
    "Log",
    "check_device",
    "choose_engine",
    "open_engine",
]
