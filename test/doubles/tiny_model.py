# SPDX-License-Identifier: Apache-2.0
"""A small model file that keeps the contract, for tests that need a model but no training.

Each pixel gets the class whose palette colour is nearest to its own, so a frame painted in
palette colours has labels known in advance. -|x - c|^2 = 2 c.x - |c|^2 - |x|^2, and the last
term is the same for every class: the scores are linear in B, G, R, one matrix product.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from carla_unet_ros.labels import LabelSet, Uint8, carla_13
from carla_unet_ros.model_file import ModelMetadata, write_metadata


def write(
    path: Path,
    labels: LabelSet | None = None,
    work: int = 0,
    only_size: tuple[int, int] | None = None,
) -> Path:
    """Writes the model.

    work:      adds that many convolutions, 16 to 16 channels, that cost time and change nothing
    only_size: height and width of the only frames it runs on; every engine fails on others
    """
    labels = labels or carla_13()
    proto = _model(labels, work, only_size)
    write_metadata(
        proto,
        ModelMetadata(
            label_set=labels,
            network_size=(64, 48),
            precision="fp32",
            training_data="none: nearest palette colour",
            created="2026-01-01",
            project_version="0.0.0",
        ),
    )
    onnx.checker.check_model(proto)
    onnx.save(proto, path)
    return path


def painted(labels: Uint8) -> Uint8:
    """A BGRA frame in palette colours, which this model labels without a mistake."""
    frame = np.full((*labels.shape, 4), 255, np.uint8)
    frame[..., :3] = carla_13().palette_bgr[labels]
    return frame


def _model(labels: LabelSet, work: int, only_size: tuple[int, int] | None) -> onnx.ModelProto:
    colours = labels.palette_bgr[: len(labels)].astype(np.float32)
    weights = np.zeros((4, len(labels)), np.float32)
    weights[:3] = 2 * colours.T
    constants = {
        "weights": weights,
        "bias": -(colours**2).sum(axis=1),
        # Distances of a few hundred squared are what makes one class sure of itself.
        "softness": np.array(1 / 400, np.float32),
        "full": np.array(255, np.float32),
        "class_axis": np.array([2], np.int64),
        "nil": np.zeros((*(only_size or (1, 1)), 1), np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["frame"], ["pixels"], to=TensorProto.FLOAT),
        *_idle_work(work, constants),
        node("MatMul", ["worked" if work else "pixels", "weights"], ["products"]),
        node("Add", ["products", "bias"], ["sums"]),
        node("Add", ["sums", "nil"], ["scores"]),
        node("ArgMax", ["scores"], ["ids"], axis=2, keepdims=0),
        node("Cast", ["ids"], ["labels"], to=TensorProto.UINT8),
        node("Mul", ["scores", "softness"], ["logits"]),
        node("Softmax", ["logits"], ["probabilities"], axis=2),
        node("ReduceMax", ["probabilities", "class_axis"], ["winner"], keepdims=0),
        node("Mul", ["winner", "full"], ["scaled"]),
        node("Round", ["scaled"], ["rounded"]),
        node("Cast", ["rounded"], ["confidence"], to=TensorProto.UINT8),
    ]
    size = ["height", "width"]
    image = TensorProto.UINT8
    graph = helper.make_graph(
        nodes,
        "nearest_colour",
        [helper.make_tensor_value_info("frame", image, [*size, 4])],
        [helper.make_tensor_value_info(name, image, size) for name in ("labels", "confidence")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10, producer_name="test"
    )


def _idle_work(work: int, constants: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """Convolutions over the frame, of which 1e-30 times the result is added to the pixels."""
    if not work:
        return []
    node = helper.make_node
    random = np.random.default_rng(0)
    constants["widen"] = random.uniform(0, 0.01, (16, 4, 1, 1)).astype(np.float32)
    constants["kernel"] = random.uniform(0, 0.01, (16, 16, 3, 3)).astype(np.float32)
    constants["narrow"] = random.uniform(0, 0.01, (4, 16, 1, 1)).astype(np.float32)
    constants["nothing"] = np.array(1e-30, np.float32)
    constants["batch_axis"] = np.array([0], np.int64)
    return [
        node("Unsqueeze", ["pixels", "batch_axis"], ["batch"]),
        node("Transpose", ["batch"], ["channels_first"], perm=[0, 3, 1, 2]),
        node("Conv", ["channels_first", "widen"], ["work_0"]),
        *(
            node("Conv", [f"work_{step}", "kernel"], [f"work_{step + 1}"], pads=[1, 1, 1, 1])
            for step in range(work)
        ),
        node("Conv", [f"work_{work}", "narrow"], ["done"]),
        node("Squeeze", ["done", "batch_axis"], ["done_frame"]),
        node("Transpose", ["done_frame"], ["channels_last"], perm=[1, 2, 0]),
        node("Mul", ["channels_last", "nothing"], ["almost_nothing"]),
        node("Add", ["pixels", "almost_nothing"], ["worked"]),
    ]
