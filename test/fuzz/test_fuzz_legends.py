# SPDX-License-Identifier: Apache-2.0
"""JSON that anybody may write: a legend on a topic, and the metadata of a model file."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import tiny_model
from hypothesis import given
from hypothesis import strategies as st
from mutations import JSON_VALUES, changed_json, mutated

from carla_unet_ros.labels import carla_13, carla_label_set
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.model_file import ModelError, read_model

LEGEND = Legend(carla_label_set("0.9.16"), carla_13(), "a model", "an engine", 0.5).to_json()

TEXTS = (
    changed_json(json.loads(LEGEND)).map(json.dumps)
    | JSON_VALUES.map(json.dumps)
    | mutated(LEGEND.encode()).map(lambda content: content.decode("utf-8", "surrogateescape"))
    | st.sampled_from(("[" * 100_000, '{"a":' * 100_000, "1e999", "Infinity", '"\\ud800"', ""))
)


@given(TEXTS)
def test_a_legend_is_read_or_refused(text: str) -> None:
    try:
        legend = Legend.from_json(text)
    except ValueError as error:
        str(error).encode()
        return
    legend.to_json().encode()
    assert 0 <= legend.min_confidence <= 1
    assert all(0 <= label.id <= 255 for label in legend.published_classes)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")


def check_model(path: Path) -> None:
    try:
        found = read_model(path)
    except ModelError as error:
        str(error).encode()
        return
    json.dumps(found.metadata.iou, allow_nan=False).encode()
    found.label_set.to_json().encode()


@given(st.data())
def test_a_model_files_metadata_is_read_or_refused(model: Path, data: st.DataObject) -> None:
    proto = onnx.load(model)
    (prop,) = (prop for prop in proto.metadata_props if prop.key == "carla_unet_ros")
    changed: Any = data.draw(changed_json(json.loads(prop.value)) | JSON_VALUES)
    prop.value = json.dumps(changed)
    path = model.with_name("changed.onnx")
    path.write_bytes(proto.SerializeToString())
    check_model(path)


@given(st.data())
def test_a_model_files_bytes_are_read_or_refused(model: Path, data: st.DataObject) -> None:
    path = model.with_name("damaged.onnx")
    path.write_bytes(data.draw(mutated(model.read_bytes()) | st.binary(max_size=64)))
    check_model(path)
