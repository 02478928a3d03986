# SPDX-License-Identifier: Apache-2.0
"""The engine of `small_net` for a GPU that is made up, and what tests of the cache do with it."""

from pathlib import Path

import pytest

from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.engines.tensorrt_engine.build import Target
from carla_unet_ros.engines.tensorrt_engine.cache_entry import Key
from carla_unet_ros.engines.tensorrt_engine.cuda import Device
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache
from carla_unet_ros.model_file import read_model

needs_library = pytest.mark.skipif(
    bool(tensorrt_library.missing_library()), reason=tensorrt_library.missing_library()
)
needs_rtx = pytest.mark.skipif(
    bool(tensorrt_library.missing_library()) or tensorrt_library.library().name != "TensorRT-RTX",
    reason="only TensorRT-RTX has this",
)

DEVICE = Device("GPU", "8.9", "13.0")


def target_for(model_path: Path) -> Target:
    return Target(read_model(model_path), (800, 600), DEVICE)


def put(cache: EngineCache, key: Key, content: bytes) -> None:
    with cache.lock():
        cache.write(key, content)


def files(cache: EngineCache) -> set[str]:
    return {path.name for path in cache.folder.iterdir()} - {"carla_unet_ros.lock"}
