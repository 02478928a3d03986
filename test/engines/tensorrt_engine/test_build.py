# SPDX-License-Identifier: Apache-2.0
"""TensorRT engines, really parsed and built: TensorRT-RTX needs no GPU for that."""

import dataclasses
import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
import small_net
from onnx import TensorProto, helper
from small_engine import DEVICE, needs_library, needs_rtx, target_for

from carla_unet_ros.engines import EngineError
from carla_unet_ros.engines.tensorrt_engine import build as tensorrt_build
from carla_unet_ros.engines.tensorrt_engine.build import Target, built_engine, layer_count
from carla_unet_ros.engines.tensorrt_engine.build_progress import Progress
from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache, entries
from carla_unet_ros.engines.tensorrt_engine.library import Library, library, tensorrt_module
from carla_unet_ros.model_file import SHIPPED_MODEL, Model, read_model

pytestmark = needs_library

PRECISIONS = ("fp32", "fp16", "int8")


def built(target: Target) -> bytes:
    return tensorrt_build._build(target, b"", Progress()).engine


def parsed_types(model: Model) -> set[str]:
    """The types of all the tensors the library computes."""
    network = tensorrt_build._parse(model).network
    layers = [network.get_layer(index) for index in range(network.num_layers)]  # type: ignore[attr-defined]
    return {layer.get_output(0).dtype.name for layer in layers}


@pytest.fixture(params=PRECISIONS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Model:
    return read_model(small_net.write(tmp_path / "small.onnx", request.param))


@pytest.mark.parametrize("size", [(800, 600), (1920, 1080), (801, 599)])
def test_every_precision_builds_at_every_size(model: Model, size: tuple[int, int]) -> None:
    engine = built(Target(model, size, DEVICE))
    assert library().header_fault(engine) == ""


def test_the_network_takes_and_gives_uint8_under_the_contracts_names(model: Model) -> None:
    network = tensorrt_build._parse(model).network
    tensors = [network.get_input(0), network.get_output(0), network.get_output(1)]
    found = {
        tensor.name: (
            tensor.dtype.name,
            [tensor.shape[place] for place in range(len(tensor.shape))],
        )
        for tensor in tensors
    }
    assert found == {
        "frame": ("UINT8", [-1, -1, 4]),
        "labels": ("UINT8", [-1, -1]),
        "confidence": ("UINT8", [-1, -1]),
    }
    assert network.num_inputs == 1
    assert network.num_outputs == 2


def test_what_is_computed_in_which_precision_is_what_the_file_says(model: Model) -> None:
    precision = model.metadata.precision
    types = parsed_types(model)
    assert ("HALF" in types) == (precision == "fp16")
    assert ("FLOAT" in types) == (precision != "fp16")
    assert ("INT8" in types) == (precision == "int8")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_network_is_asked_to_be_strongly_typed(
    small_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT 10 does it only if asked; TensorRT-RTX always does, so the asking is looked at."""
    asked: list[int] = []
    trt = tensorrt_module()

    class Builder(trt.Builder):
        def create_network(self, flags: int):
            asked.append(flags)
            return super().create_network(flags)

    monkeypatch.setattr(trt, "Builder", Builder)
    layer_count(read_model(small_model_path))
    assert asked == [1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)]


def test_the_profile_fixes_height_and_width(small_model_path: Path) -> None:
    parsed = tensorrt_build._parse(read_model(small_model_path))
    config = parsed.builder.create_builder_config()
    profile = parsed.builder.create_optimization_profile()
    builder = SimpleNamespace(create_optimization_profile=lambda: profile)
    target = target_for(small_model_path)
    tensorrt_build._fix_size(builder, config, target)  # type: ignore[arg-type]
    shapes = [tuple(shape) for shape in profile.get_shape("frame")]  # type: ignore[attr-defined]
    assert shapes == [(600, 800, 4)] * 3
    assert config.num_optimization_profiles == 1  # type: ignore[attr-defined]


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configs that engines are built with from now on."""
    configs: list[Any] = []
    fix_size = tensorrt_build._fix_size

    def spy(builder: object, config: object, target: Target) -> None:
        configs.append(config)
        fix_size(builder, config, target)  # type: ignore[arg-type]

    monkeypatch.setattr(tensorrt_build, "_fix_size", spy)
    return configs


@needs_rtx
def test_the_config_allows_a_cuda_graph_and_limits_the_workspace(
    small_model_path: Path, configs: list[Any]
) -> None:
    trt = importlib.import_module("tensorrt_rtx_bindings")
    built(dataclasses.replace(target_for(small_model_path), workspace=2**28))
    assert configs[0].get_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
    assert configs[0].get_memory_pool_limit(trt.MemoryPoolType.WORKSPACE) == 2**28


@needs_rtx
@pytest.mark.parametrize("capability", ["7.5", "8.9", "12.0"])
def test_an_engine_is_made_for_the_gpus_own_generation(
    small_model_path: Path, configs: list[Any], capability: str
) -> None:
    """By default TensorRT-RTX makes it for those from Ampere on, and Turing cannot run it."""
    device = DEVICE._replace(compute_capability=capability)
    engine = built(dataclasses.replace(target_for(small_model_path), device=device))
    assert library().header_fault(engine) == ""
    assert configs[0].num_compute_capabilities == 1
    name = configs[0].get_compute_capability(0).name
    assert name == f"SM{capability.replace('.', '')}"


@needs_rtx
def test_for_a_gpu_the_library_does_not_list_an_engine_is_made_for_many(
    small_model_path: Path, configs: list[Any]
) -> None:
    hopper = DEVICE._replace(compute_capability="9.0")
    engine = built(dataclasses.replace(target_for(small_model_path), device=hopper))
    assert library().header_fault(engine) == ""
    assert configs[0].num_compute_capabilities == 0


def changed(source: Path, out: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    proto = onnx.load(source)
    change(proto)
    onnx.save(proto, out)
    return out


def slice_the_bytes(proto: onnx.ModelProto) -> None:
    """Picks channels before the cast, which TensorRT cannot do on uint8."""
    for name, value in {"first": [0], "end": [4], "axis": [2]}.items():
        tensor = helper.make_tensor(name, TensorProto.INT64, [1], value)
        proto.graph.initializer.append(tensor)
    cast = next(node for node in proto.graph.node if node.op_type == "Cast")
    cast.input[0] = "sliced"
    slicing = helper.make_node("Slice", ["frame", "first", "end", "axis"], ["sliced"], "pick")
    proto.graph.node.insert(0, slicing)


def test_uint8_in_the_middle_is_refused_with_the_librarys_reason(
    small_model_path: Path, tmp_path: Path
) -> None:
    model = read_model(changed(small_model_path, tmp_path / "sliced.onnx", slice_the_bytes))
    with pytest.raises(EngineError, match=r"TensorRT-RTX 1.*(?i:uint8)"):
        built(Target(model, (800, 600), DEVICE))


def test_an_operation_the_library_lacks_is_refused_and_named(
    small_model_path: Path, tmp_path: Path
) -> None:
    def use_unknown(proto: onnx.ModelProto) -> None:
        relu = next(node for node in proto.graph.node if node.op_type == "Relu")
        relu.op_type, relu.domain, relu.name = "Frobnicate", "example.org", "the_odd_one"
        proto.opset_import.append(helper.make_opsetid("example.org", 1))

    model = read_model(changed(small_model_path, tmp_path / "odd.onnx", use_unknown))
    with pytest.raises(EngineError, match=r"refuses model .*odd\.onnx: .*Frobnicate"):
        layer_count(model)


def test_other_names_are_refused_also_where_the_model_file_was_not_checked(
    small_model_path: Path, tmp_path: Path
) -> None:
    def rename(proto: onnx.ModelProto) -> None:
        proto.graph.output[0].name = "classes"
        for node in proto.graph.node:
            if node.output[0] == "labels":
                node.output[0] = "classes"

    path = changed(small_model_path, tmp_path / "renamed.onnx", rename)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    model = dataclasses.replace(read_model(small_model_path), path=path, sha256=digest)
    with pytest.raises(
        EngineError, match=r"output classes UINT8 .*expected .*output labels UINT8"
    ):
        layer_count(model)


def test_a_model_file_changed_after_it_was_read_is_not_built(tmp_path: Path) -> None:
    path = small_net.write(tmp_path / "small.onnx")
    target = target_for(path)
    small_net.write(path, seed=1)
    with pytest.raises(EngineError, match="was changed since it was read"):
        built(target)


def test_a_model_of_one_size_refuses_another_camera(
    small_model_path: Path, tmp_path: Path
) -> None:
    def fix(proto: onnx.ModelProto) -> None:
        for value in (*proto.graph.input, *proto.graph.output):
            sizes = value.type.tensor_type.shape.dim
            sizes[0].dim_value, sizes[1].dim_value = 600, 800

    model = read_model(changed(small_model_path, tmp_path / "fixed.onnx", fix))
    built(Target(model, (800, 600), DEVICE))
    with pytest.raises(EngineError, match=r"for 640x480 frames .* static dimensions"):
        built(Target(model, (640, 480), DEVICE))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_build_learns_of_kernels_is_kept_for_the_next(
    small_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT-RTX has the calls, and nothing to remember; TensorRT has both."""
    given: list[bytes] = []
    use_timing = tensorrt_build._use_timing
    monkeypatch.setattr(Library, "times_kernels", True)
    monkeypatch.setattr(
        tensorrt_build,
        "_use_timing",
        lambda config, timing: (given.append(timing), use_timing(config, timing)),
    )
    cache = EngineCache(tmp_path, print)
    target = target_for(small_model_path)
    built_engine(target, cache, print)
    built_engine(dataclasses.replace(target, size=(640, 480)), cache, print)
    assert given == [b"", cache.read(target.timing_key)]
    assert len(given[1]) > 0
    assert {entry.stem.split("-")[0] for entry in entries(tmp_path)} == {"engine", "timing"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rubbish_in_place_of_a_timing_cache_does_no_harm(
    small_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library, "times_kernels", True)
    result = tensorrt_build._build(target_for(small_model_path), b"rubbish" * 10, Progress())
    assert library().header_fault(result.engine) == ""


@pytest.mark.parametrize("size", [(800, 600), (1920, 1080)])
def test_every_shipped_model_builds(size: tuple[int, int]) -> None:
    paths = sorted(SHIPPED_MODEL.parent.glob("*.onnx"))
    if not paths:
        pytest.skip(f"there is no model in {SHIPPED_MODEL.parent}")
    for path in paths:
        engine = built(Target(read_model(path), size, DEVICE))
        assert library().header_fault(engine) == "", path


@pytest.mark.training
@pytest.mark.parametrize("flips", [False, True], ids=["one view", "mirrored"])
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_an_exported_unet_builds_in_its_precision(
    small_model_path: Path, tmp_path: Path, half: bool, flips: bool
) -> None:
    torch = pytest.importorskip("torch")
    from carla_unet_ros.training import export
    from carla_unet_ros.training.net.folding import fold
    from carla_unet_ros.training.net.frame_graph import FrameGraph
    from carla_unet_ros.training.net.unet import UNet, UNetConfig
    from carla_unet_ros.training.net.views import Views

    torch.manual_seed(0)
    net = Views(flips=flips).of(fold(UNet(UNetConfig(channels=4, depth=2, stem=2))))
    graph = FrameGraph(net.half() if half else net, (96, 64), folded=True).eval()
    metadata = read_model(small_model_path).metadata
    path = tmp_path / "net.onnx"
    export.save(export.to_onnx(graph), metadata, path)
    model = read_model(path)
    assert ("HALF" in parsed_types(model)) == half
    engine = built(Target(model, (800, 600), DEVICE))
    assert library().header_fault(engine) == ""
