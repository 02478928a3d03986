# SPDX-License-Identifier: Apache-2.0
"""Builds TensorRT engines ahead of time, so that no frame waits for a build."""

import math
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, UseAppendAction, arg, create_mutex_group
from tyro.constructors import PrimitiveConstructorSpec

from carla_unet_ros.camera_model import Size, parse_size
from carla_unet_ros.command_line import Configured, check_ranges, run_command
from carla_unet_ros.engines import KINDS, EngineError
from carla_unet_ros.engines.tensorrt_engine import cuda
from carla_unet_ros.engines.tensorrt_engine import engine as tensorrt_engine
from carla_unet_ros.engines.tensorrt_engine import library as tensorrt_library
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine, layer_count
from carla_unet_ros.engines.tensorrt_engine.engine_cache import (
    DEFAULT_FOLDER,
    EngineCache,
    entries,
)
from carla_unet_ros.engines.tensorrt_engine.run import load_engine
from carla_unet_ros.errors import InputError, expand_home
from carla_unet_ros.model_file import Model, read_model

# All words are one value, so that tyro shows the error of `parse_size`.
_Sizes = Annotated[
    tuple[Size, ...],
    PrimitiveConstructorSpec(
        nargs="*",
        metavar="WIDTHxHEIGHT",
        instance_from_str=lambda words: tuple(map(parse_size, words)),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda sizes: [str(size) for size in sizes],
    ),
]
_INSTEAD = create_mutex_group(required=False, title="instead of building")


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Build TensorRT engines ahead of time, so that no frame waits for a build.

    carla_unet_build_engine --size 800x600 --size 1920x1080

    An engine fits one model, one size of frames, one GPU, one driver and one version of TensorRT:
    build on the machine that will run it. The node finds the engine by itself. Exit status: 0
    done, 1 not possible here. --dry-run has the same status and needs no GPU.
    """

    model: Path = KINDS["tensorrt"].shipped_model  # ONNX file
    # sizes of the cameras' frames; may be given several times
    size: Annotated[
        UseAppendAction[tuple[_Sizes, ...]],
        arg(help_behavior_hint="(default: 800x600)"),
    ] = ()
    # the GPU that builds the engine and will run it: cuda:0 or another number
    device: str = "cuda:0"
    cache: Path = DEFAULT_FOLDER  # folder of built engines
    # most GPU memory in MiB that a kernel may use beside its tensors; default: the library's limit
    workspace: int | None = None
    # say what would be built, and with what
    dry_run: Annotated[FlagCreatePairsOff[bool], _INSTEAD] = False
    # list the engines in the cache
    list: Annotated[FlagCreatePairsOff[bool], _INSTEAD] = False
    # remove all engines from the cache
    clean: Annotated[FlagCreatePairsOff[bool], _INSTEAD] = False

    def __post_init__(self) -> None:
        check_ranges(self, workspace=(1, math.inf))
        if self.device == "auto" or not KINDS["tensorrt"].takes(self.device):
            raise InputError(f"--device {self.device}: expected one like cuda:0")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 1 not possible; the reason goes to stderr."""
    return run_command(Options, "carla_unet_build_engine", _act, argv)


def _act(options: Options) -> int:
    if options.list:
        return _list(options.cache)
    if options.clean:
        return _clean(options.cache)
    model = read_model(options.model)
    sizes = list(chain(*options.size)) or [Size(800, 600)]
    if options.dry_run:
        return _describe(model, sizes, options.cache, options.device)
    workspace = options.workspace and options.workspace * 2**20
    return _build(model, sizes, options.cache, workspace, options.device)


def _build(
    model: Model, sizes: list[Size], folder: Path | None, workspace: int | None, device: str
) -> int:
    missing = tensorrt_engine.missing(device)
    if missing:
        raise EngineError(f"no engine can be built here: {missing}")
    doubt = tensorrt_engine.unsupported(device)
    if doubt:
        print(f"it may not run: {doubt}", file=sys.stderr)
    cache = EngineCache(folder, print)
    gpu = cuda.device(cuda.device_number(device))
    for size in sizes:
        target = Target(model, size, gpu, workspace)
        loaded = load_engine(built_engine(target, cache, print), gpu.number)
        # Loading alone does not show that it works, so one frame is run.
        tensorrt_engine.opened(target, loaded, cache, print).close()
        print(f"ready: {target}")
    return 0


def _describe(model: Model, sizes: list[Size], folder: Path | None, device: str) -> int:
    """Prints what `_build` would do, without building; returns 1 if it could not."""
    metadata = model.metadata
    width, height = metadata.network_size
    print(f"model    {model.path}: {metadata.precision}, network at {width}x{height}")
    no_library = tensorrt_library.missing_library()
    print(f"library  {no_library or _library_text(model)}")
    number = cuda.device_number(device)
    no_device = cuda.missing_device(number)
    print(f"GPU      {no_device or _gpu_text(cuda.device(number))}")
    for size in sizes:
        name = f"{size[0]}x{size[1]}"
        if no_library or no_device:
            print(f"{name} cannot be built here")
            continue
        target = Target(model, size, cuda.device(number))
        found = any(entry.stem == target.key.stem and not entry.fault for entry in entries(folder))
        print(f"{name} {'is there' if found else 'would be built'}: {target.key.stem}")
    return 1 if no_library or no_device else 0


def _gpu_text(gpu: cuda.Device) -> str:
    return ", ".join((gpu.name, gpu.compute_capability, gpu.driver))


def _library_text(model: Model) -> str:
    return f"{tensorrt_library.library()}, which makes {layer_count(model)} layers of the model"


def _list(folder: Path | None) -> int:
    found = entries(folder)
    print(f"{len(found)} in {expand_home(folder or DEFAULT_FOLDER)}")
    for entry in found:
        print(f"\n{entry.stem}")
        if entry.fault:
            print(f"  will not be used: {entry.fault}")
            continue
        print(f"  created {entry.created}, {entry.nbytes / 1e6:.1f} MB")
        for name, value in entry.parts.items():
            print(f"  {name} {value}")
    return 0


def _clean(folder: Path | None) -> int:
    cache = EngineCache(folder, print)
    count, nbytes = cache.clean()
    print(f"removed {count} files, {nbytes / 1e6:.1f} MB, from {cache.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
