# SPDX-License-Identifier: Apache-2.0
"""A small convolutional net that keeps the contract, in fp32, fp16 or int8, made without torch.

It has what a U-Net's file has and the nearest-colour model lacks: resizing to a network size and
back, convolutions, and for int8 the pairs of QuantizeLinear and DequantizeLinear. Its weights are
random, and the same in every precision.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from carla_unet_ros.labels import carla_13
from carla_unet_ros.model_file import ModelMetadata, write_metadata

NETWORK_SIZE = (64, 48)

_CLASSES = 13
_CHANNELS = 16


def write(path: Path, precision: str = "fp32", seed: int = 0) -> Path:
    proto = _model(precision, seed)
    write_metadata(
        proto,
        ModelMetadata(
            label_set=carla_13(),
            network_size=NETWORK_SIZE,
            precision=precision,
            training_data="none: random weights",
            created="2026-01-01",
            project_version="0.0.0",
        ),
    )
    onnx.checker.check_model(proto)
    onnx.save(proto, path)
    return path


def _model(precision: str, seed: int) -> onnx.ModelProto:
    real = np.float16 if precision == "fp16" else np.float32
    random = np.random.default_rng(seed)
    constants = {
        "full": np.array(255, real),
        "batch_axis": np.array([0], np.int64),
        "both_axes": np.array([0, 1], np.int64),
        "class_axis": np.array([1], np.int64),
        "network_size": np.array([*NETWORK_SIZE[::-1]], np.int64),
    }
    node = helper.make_node
    real_type = helper.np_dtype_to_tensor_dtype(np.dtype(real))
    nodes = [
        node("Shape", ["frame"], ["frame_size"], start=0, end=2),
        node("Cast", ["frame"], ["pixels"], to=real_type),
        node("Div", ["pixels", "full"], ["unit"]),
        node("Unsqueeze", ["unit", "batch_axis"], ["batch"]),
        node("Transpose", ["batch"], ["channels_first"], perm=[0, 3, 1, 2]),
        _resize("channels_first", "network_size", "small", "linear"),
        *_convolution("small", "features", random, (_CHANNELS, 4), precision, constants),
        node("Relu", ["features"], ["active"]),
        *_convolution("active", "scores", random, (_CLASSES, _CHANNELS), precision, constants),
        node("ArgMax", ["scores"], ["ids"], axis=1, keepdims=1),
        node("Cast", ["ids"], ["real_ids"], to=real_type),
        _resize("real_ids", "frame_size", "large_ids", "nearest"),
        node("Squeeze", ["large_ids", "both_axes"], ["flat_ids"]),
        node("Cast", ["flat_ids"], ["labels"], to=TensorProto.UINT8),
        node("Softmax", ["scores"], ["probabilities"], axis=1),
        node("ReduceMax", ["probabilities", "class_axis"], ["winner"], keepdims=1),
        node("Mul", ["winner", "full"], ["scaled"]),
        _resize("scaled", "frame_size", "large_scaled", "linear"),
        node("Squeeze", ["large_scaled", "both_axes"], ["flat_scaled"]),
        node("Cast", ["flat_scaled"], ["confidence"], to=TensorProto.UINT8),
    ]
    size, image = ["height", "width"], TensorProto.UINT8
    graph = helper.make_graph(
        nodes,
        "small_net",
        [helper.make_tensor_value_info("frame", image, [*size, 4])],
        [helper.make_tensor_value_info(name, image, size) for name in ("labels", "confidence")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 19)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="test")


def _resize(source: str, size: str, result: str, mode: str) -> onnx.NodeProto:
    """To a height and width that stand in the tensor `size`."""
    rounding = {"nearest_mode": "floor"} if mode == "nearest" else {}
    return helper.make_node(
        "Resize",
        [source, "", "", size],
        [result],
        axes=[2, 3],
        mode=mode,
        coordinate_transformation_mode="half_pixel" if mode == "linear" else "asymmetric",
        **rounding,
    )


def _convolution(
    source: str,
    result: str,
    random: np.random.Generator,
    channels: tuple[int, int],
    precision: str,
    constants: dict[str, np.ndarray],
) -> list[onnx.NodeProto]:
    """3x3, from channels[1] to channels[0]; int8 is symmetric, its weights scaled per channel."""
    weights = random.normal(0, 0.3, (*channels, 3, 3)).astype(np.float32)
    name = f"{result}_weights"
    if precision != "int8":
        constants[name] = weights.astype(np.float16 if precision == "fp16" else np.float32)
        return [helper.make_node("Conv", [source, name], [result], pads=[1, 1, 1, 1])]
    scales = np.abs(weights).max(axis=(1, 2, 3)) / 127
    constants[f"{name}_int8"] = np.round(weights / scales[:, None, None, None]).astype(np.int8)
    constants[f"{name}_scales"] = scales
    constants[f"{name}_zeros"] = np.zeros(len(scales), np.int8)
    constants[f"{source}_scale"] = np.array(1 / 64, np.float32)
    constants[f"{source}_zero"] = np.array(0, np.int8)
    return [
        helper.make_node(
            "DequantizeLinear",
            [f"{name}_int8", f"{name}_scales", f"{name}_zeros"],
            [name],
            axis=0,
        ),
        helper.make_node(
            "QuantizeLinear", [source, f"{source}_scale", f"{source}_zero"], [f"{source}_int8"]
        ),
        helper.make_node(
            "DequantizeLinear",
            [f"{source}_int8", f"{source}_scale", f"{source}_zero"],
            [f"{source}_back"],
        ),
        helper.make_node("Conv", [f"{source}_back", name], [result], pads=[1, 1, 1, 1]),
    ]
