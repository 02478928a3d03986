# SPDX-License-Identifier: Apache-2.0
"""Model files: what is read from a good one, and a sentence for each way to be a bad one."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from carla_unet_ros.labels import carla_13
from carla_unet_ros.model_file import ModelError, read_model, write_metadata


def test_a_good_file_tells_its_labels_and_its_hash(tiny_model_path: Path) -> None:
    model = read_model(tiny_model_path)
    assert model.label_set == carla_13()
    assert model.name == "tiny"
    assert model.metadata.network_size == (64, 48)
    assert len(model.sha256) == 64


def test_metadata_is_replaced_and_foreign_metadata_kept(tiny_model_path: Path) -> None:
    proto = onnx.load(tiny_model_path)
    proto.metadata_props.add(key="author", value="somebody")
    write_metadata(proto, read_model(tiny_model_path).metadata)
    assert sorted(prop.key for prop in proto.metadata_props) == ["author", "carla_unet_ros"]


def refused(path: Path, proto: ModelProto) -> str:
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError) as error:
        read_model(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_missing_file_says_which_parameter_to_set(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx cannot be read .*set `model` to"):
        read_model(tmp_path / "none.onnx")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_truncated_files_are_refused(tiny_model_path: Path, tmp_path: Path, share: float) -> None:
    content = tiny_model_path.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        read_model(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.onnx"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    with pytest.raises(ModelError, match=r"no ONNX file"):
        read_model(path)


@pytest.mark.parametrize("path", ["/", "/tmp", ".", "", ".."])
def test_a_folder_is_no_model(path: str) -> None:
    with pytest.raises(ModelError, match=r"^model \S+ is a folder; set `model` to"):
        read_model(path)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "pipe"])
def test_a_pipe_or_a_device_is_refused_before_it_is_opened(tmp_path: Path, path: str) -> None:
    """A pipe that nobody writes to would wait for ever, and /dev/zero has no end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match=r"^model \S+ is no regular file; set `model` to"):
        read_model(tmp_path / path)


def test_a_file_that_is_larger_than_onnx_allows_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "giant.onnx").touch()
    os.truncate(tmp_path / "giant.onnx", 2**40)
    with pytest.raises(ModelError, match=r"^model \S+ is larger than 2 GiB"):
        read_model(tmp_path / "giant.onnx")


@pytest.mark.parametrize("path", ["x" * 5000, "with\0nil", "\ud800"])
def test_a_path_that_cannot_be_one_is_a_sentence(path: str) -> None:
    with pytest.raises(ModelError, match=r"^model .* cannot be (found|read)"):
        read_model(path)


def test_other_inputs_and_outputs_are_named(tiny_model_path: Path, tmp_path: Path) -> None:
    proto = onnx.load(tiny_model_path)
    proto.graph.output[0].name = "mask"
    assert "confidence, frame, mask; expected" in refused(tmp_path / "x.onnx", proto)


def test_other_types_are_named(tiny_model_path: Path, tmp_path: Path) -> None:
    proto = onnx.load(tiny_model_path)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    assert "type FLOAT" in refused(tmp_path / "x.onnx", proto)
    proto.graph.input[0].type.tensor_type.elem_type = 105  # of a version to come, or rubbish
    assert "type 105" in refused(tmp_path / "x.onnx", proto)


def test_three_channels_are_refused(tiny_model_path: Path, tmp_path: Path) -> None:
    proto = onnx.load(tiny_model_path)
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 3
    assert "[height, width, 4]" in refused(tmp_path / "x.onnx", proto)


def test_old_opsets_are_refused(tiny_model_path: Path, tmp_path: Path) -> None:
    proto = onnx.load(tiny_model_path)
    proto.opset_import[0].version = 13
    assert "opset 13; expected 18" in refused(tmp_path / "x.onnx", proto)


def test_a_file_without_metadata_is_refused(tiny_model_path: Path, tmp_path: Path) -> None:
    proto = onnx.load(tiny_model_path)
    del proto.metadata_props[:]
    assert "no metadata" in refused(tmp_path / "x.onnx", proto)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "lacks"), ("not json", "unreadable"), ('{"network_size": 3}', "unreadable")],
)
def test_broken_metadata_is_refused(
    tiny_model_path: Path, tmp_path: Path, text: str, message: str
) -> None:
    proto = onnx.load(tiny_model_path)
    del proto.metadata_props[:]
    proto.metadata_props.add(key="carla_unet_ros", value=text)
    assert message in refused(tmp_path / "x.onnx", proto)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("created", r"\ud800"),
        ("network_size", [float("inf"), 48]),
        ("iou", {"Roads": float("nan")}),
    ],
)
def test_metadata_that_could_not_be_published_is_refused(
    tiny_model_path: Path, tmp_path: Path, key: str, value: object
) -> None:
    proto = onnx.load(tiny_model_path)
    entry = json.loads(proto.metadata_props[0].value)
    text = json.dumps(entry | {key: value}).replace(r"\\ud800", r"\ud800")
    proto.metadata_props[0].value = text
    assert "metadata is unreadable" in refused(tmp_path / "x.onnx", proto)


def test_metadata_that_is_nested_without_end_is_refused(
    tiny_model_path: Path, tmp_path: Path
) -> None:
    proto = onnx.load(tiny_model_path)
    proto.metadata_props[0].value = "[" * 100_000
    assert "metadata is unreadable" in refused(tmp_path / "x.onnx", proto)


def test_metadata_of_another_kind_is_refused(tiny_model_path: Path, tmp_path: Path) -> None:
    proto = onnx.load(tiny_model_path)
    entry = json.loads(proto.metadata_props[0].value)
    proto.metadata_props[0].value = json.dumps(entry | {"iou": [0.5]})
    assert "unreadable: 'list' object" in refused(tmp_path / "x.onnx", proto)


def test_without_onnx_it_says_what_to_install(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match=r"onnx cannot be imported .* pip install onnx"):
        read_model(tiny_model_path)


def test_a_home_that_nobody_has_is_a_sentence() -> None:
    with pytest.raises(ModelError, match=r"~no_such_user/net\.onnx cannot be found"):
        read_model("~no_such_user/net.onnx")


def outside(name: str = "elsewhere") -> TensorProto:
    """A tensor of one number, which stands in another file."""
    tensor = numpy_helper.from_array(np.array([1.0], np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def constant_outside() -> NodeProto:
    return helper.make_node("Constant", [], ["constant"], value=outside())


def in_an_initializer(proto: ModelProto) -> None:
    proto.graph.initializer.append(outside())


def in_a_constant(proto: ModelProto) -> None:
    proto.graph.node.insert(0, constant_outside())


def in_a_list_of_tensors(proto: ModelProto) -> None:
    proto.graph.node[0].attribute.add(name="values").tensors.append(outside())


def in_a_sparse_tensor(proto: ModelProto) -> None:
    proto.graph.sparse_initializer.add().values.CopyFrom(outside())


def in_a_subgraph(proto: ModelProto) -> None:
    branch = helper.make_graph([constant_outside()], "branch", [], [])
    proto.graph.node[0].attribute.add(name="then_branch").g.CopyFrom(branch)


def in_a_function(proto: ModelProto) -> None:
    proto.functions.add(name="function").node.append(constant_outside())


def with_nothing_but_a_place(proto: ModelProto) -> None:
    """What says that it is inside, and says where outside it is."""
    in_an_initializer(proto)
    proto.graph.initializer[-1].data_location = TensorProto.DEFAULT


@pytest.mark.parametrize(
    "put",
    [
        in_an_initializer,
        in_a_constant,
        in_a_list_of_tensors,
        in_a_sparse_tensor,
        in_a_subgraph,
        in_a_function,
        with_nothing_but_a_place,
    ],
)
def test_a_tensor_in_another_file_is_refused_wherever_it_stands(
    tiny_model_path: Path, tmp_path: Path, put: Callable[[ModelProto], None]
) -> None:
    proto = onnx.load(tiny_model_path)
    put(proto)
    assert "keeps the tensor 'elsewhere' in another file" in refused(tmp_path / "x.onnx", proto)


def test_an_empty_model_is_refused(tmp_path: Path) -> None:
    proto = helper.make_model(helper.make_graph([], "empty", [], []))
    assert "holds no graph" in refused(tmp_path / "x.onnx", proto)


def test_a_bare_name_is_that_of_a_file_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_model("carla_unet_int8.onnx").metadata.precision == "int8"
    own = tmp_path / "carla_unet_int8.onnx"
    own.write_bytes(tiny_model_path.read_bytes())
    assert read_model("carla_unet_int8.onnx").sha256 == read_model(tiny_model_path).sha256
