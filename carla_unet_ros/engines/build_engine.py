"""Builds TensorRT engines ahead of time, so that a node's first frame need not wait for it.

    carla_unet_build_engine --size 800x600 --size 1920x1080

An engine fits one model, one size of frames, one GPU, one driver and one version of TensorRT:
build on the machine that will run it. The node finds it by itself.

Exit status: 0 done, 1 not possible here; with --dry-run too, which needs no GPU to say so.
"""

import argparse
import re
import sys
from pathlib import Path

from carla_unet_ros.camera_model import LARGEST_SIDE
from carla_unet_ros.engines import KINDS, EngineError, cuda, tensorrt_engine, tensorrt_library
from carla_unet_ros.engines.engine_cache import DEFAULT_FOLDER, EngineCache, entries
from carla_unet_ros.engines.tensorrt_build import Target, built_engine, layer_count
from carla_unet_ros.engines.tensorrt_run import load_engine
from carla_unet_ros.model_file import Model, ModelError, read_model

Size = tuple[int, int]

_CAMERA = (800, 600)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 1 not possible; the reason goes to stderr."""
    options = _parser().parse_args(argv)
    try:
        if options.list:
            return _list(options.cache)
        if options.clean:
            return _clean(options.cache)
        model = read_model(options.model)
        sizes: list[Size] = options.size or [_CAMERA]
        if options.dry_run:
            return _describe(model, sizes, options.cache, options.device)
        return _build(model, sizes, options.cache, options.workspace, options.device)
    except (EngineError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        type=Path,
        default=KINDS["tensorrt"].shipped_model,
        help="ONNX file (default: the shipped model)",
    )
    parser.add_argument(
        "--size",
        type=parse_size,
        action="append",
        metavar="WIDTHxHEIGHT",
        help="size of the camera's frames, once for each size; default 800x600",
    )
    parser.add_argument(
        "--device",
        type=_device,
        default="cuda:0",
        metavar="cuda:N",
        help="the GPU to build for, and with (default: %(default)s)",
    )
    parser.add_argument(
        "--cache", type=Path, help=f"folder of built engines (default: {DEFAULT_FOLDER})"
    )
    parser.add_argument(
        "--workspace",
        type=_mebibytes,
        metavar="MIB",
        help="most GPU memory a kernel may use beside its tensors (default: the library's limit)",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--dry-run", action="store_true", help="say what would be built, and with what"
    )
    instead.add_argument("--list", action="store_true", help="list the engines in the cache")
    instead.add_argument("--clean", action="store_true", help="remove them all")
    return parser


def parse_size(text: str) -> Size:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(0 < length <= LARGEST_SIDE for length in size):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected one like 800x600")
    return size


def _mebibytes(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of MiB; expected one like 1024")
    return int(text) * 2**20


def _device(text: str) -> str:
    if text == "auto" or not KINDS["tensorrt"].takes(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no GPU; expected one like cuda:0")
    return text


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
        # That it can be loaded says little; one frame is run.
        tensorrt_engine.opened(target, loaded, cache, print).close()
        print(f"ready: {target}")
    return 0


def _describe(model: Model, sizes: list[Size], folder: Path | None, device: str) -> int:
    """What `_build` would do, found out without building; 1 where it could not."""
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
    print(f"{len(found)} in {(folder or DEFAULT_FOLDER).expanduser()}")
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
