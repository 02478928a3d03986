# SPDX-License-Identifier: Apache-2.0
"""Rewrites NNCF's Q/DQ graph so that OpenVINO and TensorRT compute the same.

    QuantizeLinear to uint8     ->  to int8, the same range           (`make_signed`)
    Q, DQ, Concat of floats     ->  Q, Concat of int8, DQ             (`concatenate_integers`)

Both engines accept NNCF's graph without a warning, but compute something else:

TensorRT has no unsigned 8-bit activations. TensorRT-RTX 1.7 parses such a quantiser as int8, and
keeps the scale for 0..255. So after every ReLU it would clip values above the middle of the range.

OpenVINO 2026.4.1 rounds inputs of a Concat that come from int8 Q/DQ pairs to whole numbers,
whatever their scale. In a U-Net these are all skip connections. It costs points of mean IoU, while
quantisation itself costs nearly nothing. NNCF gives all inputs of a Concat one scale. So a Concat
of the int8 numbers, dequantised afterwards, is the same function, and is computed correctly.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


def make_signed(proto: "ModelProto") -> None:
    """Turns every unsigned quantiser into a signed one of the same largest value, in place.

    After a ReLU the negative half is unused, so the steps are twice as coarse.
    """
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    unsigned = {
        (node.input[1], node.input[2])
        for node in proto.graph.node
        if node.op_type == "QuantizeLinear"
        and tensors[node.input[2]].data_type == TensorProto.UINT8
    }
    for scale, zero_point in unsigned:
        values = numpy_helper.to_array(tensors[scale]) * np.float32(255 / 127)
        zeros = np.zeros(tensors[zero_point].dims, np.int8)
        tensors[scale].CopyFrom(numpy_helper.from_array(values, scale))
        tensors[zero_point].CopyFrom(numpy_helper.from_array(zeros, zero_point))
    _forget_types(proto)


def concatenate_integers(proto: "ModelProto") -> None:
    """Moves the DequantizeLinear of all inputs of a Concat to its output."""
    graph = proto.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        inputs = [makers.get(name) for name in node.input]
        if node.op_type != "Concat" or None in inputs:
            continue
        dequantisers = [maker for maker in inputs if maker and maker.op_type == "DequantizeLinear"]
        if len(dequantisers) == len(inputs) and _of_one_scale(dequantisers, constants):
            nodes.append(_dequantised_behind(node, dequantisers))
    used = {name for node in nodes for name in node.input}
    used |= {value.name for value in graph.output}
    unused = [n for n in nodes if n.op_type == "DequantizeLinear" and n.output[0] not in used]
    _replace_nodes(graph, [node for node in nodes if node not in unused])
    _forget_types(proto)


def _of_one_scale(dequantisers: "Sequence[NodeProto]", constants: dict[str, np.ndarray]) -> bool:
    """Returns whether all of them have the same scalar scale and zero point."""
    first, *others = [
        [(constants[name].size, constants[name].item(0)) for name in node.input[1:]]
        for node in dequantisers
    ]
    return first[0][0] == 1 and all(other == first for other in others)


def _dequantised_behind(concat: "NodeProto", dequantisers: "Sequence[NodeProto]") -> "NodeProto":
    """Makes `concat` join integers. Returns the node that dequantises the result."""
    scaled = concat.output[0]
    concat.input[:] = [node.input[0] for node in dequantisers]
    concat.output[0] = f"{scaled}_int8"
    return helper.make_node(
        "DequantizeLinear",
        [concat.output[0], *dequantisers[0].input[1:]],
        [scaled],
        name=f"DequantizeLinear_{scaled}",
    )


def _replace_nodes(graph: "GraphProto", nodes: "Sequence[NodeProto]") -> None:
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _forget_types(proto: "ModelProto") -> None:
    """Removes the types of inner tensors, which are now wrong; engines infer them."""
    del proto.graph.value_info[:]
