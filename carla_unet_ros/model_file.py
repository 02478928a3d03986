# SPDX-License-Identifier: Apache-2.0
"""Reads and describes a model file: one self-contained ONNX file, metadata included.

    input   frame       uint8 [height, width, 4]   BGRA, the bytes of the camera's message
    output  labels      uint8 [height, width]      class id per camera pixel
    output  confidence  uint8 [height, width]      255 x the winning class's probability

Channel order, normalisation, resize, the net and argmax are in the graph, so no engine and no
other language implements them again. The file's metadata says what the ids mean and where the
weights come from. `write_metadata` writes it, `read_model` reads it and refuses a file without it.
"""

import hashlib
import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import LabelSet

if TYPE_CHECKING:
    import onnx
    from google.protobuf.message import Message

SHIPPED_MODEL = Path(__file__).parent / "models" / "carla_unet.onnx"
"""The shipped model in fp32. Training can start from it."""

SHIPPED_INT8_MODEL = SHIPPED_MODEL.with_name("carla_unet_int8.onnx")
"""The shipped model in int8, for CPUs."""

SHIPPED_FP16_MODEL = SHIPPED_MODEL.with_name("carla_unet_fp16.onnx")
"""The shipped model in fp16, for TensorRT."""

_MINIMUM_OPSET = 18
_METADATA_KEY = "carla_unet_ros"
_LARGEST_FILE = 2**31
_WHAT_TO_SET = (
    "set `model` to an ONNX file written by carla_unet_export, or leave it empty "
    "for the shipped model"
)
_CONTRACT = {"frame": ("input", 3), "labels": ("output", 2), "confidence": ("output", 2)}


class ModelError(InputError):
    """A model file that cannot be used; the text says what is wrong and what to do."""


@dataclass(frozen=True)
class ModelMetadata:
    """The metadata in a model file.

    network_size: width and height the frame is resized to inside the graph
    precision:    "fp32", "fp16" or "int8"
    iou:          IoU by class name, measured on `iou_data`; may be empty
    flips, also:  further views of the frame: mirrored, and in smaller sizes
    """

    label_set: LabelSet
    network_size: tuple[int, int]
    precision: str
    training_data: str
    created: str
    project_version: str
    iou_data: str = ""
    iou: dict[str, float] = field(default_factory=dict)
    flips: bool = False
    also: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Model:
    """A model file that was read and meets the contract."""

    path: Path
    sha256: str
    metadata: ModelMetadata

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def label_set(self) -> LabelSet:
        return self.metadata.label_set


def read_model(path: Path | str = SHIPPED_MODEL) -> Model:
    """Reads and checks a model file.

    path: a file, or the bare name of a shipped one: carla_unet_int8.onnx

    Raises ModelError if it is missing, no regular file, truncated, not ONNX, not of the contract,
    without metadata, or if a part of it is in another file.
    """
    path = _find(path)
    content = read_content(path)
    proto = _parse(path, content)
    _check_contract(path, proto)
    return Model(path, hashlib.sha256(content).hexdigest(), _read_metadata(path, proto))


def find_model(path: Path | str) -> Path:
    """The path of a model file, as `read_model` takes it. Raises ModelError if it cannot be read.

    What is in the file is not looked at.
    """
    found = _find(path)
    read_content(found)
    return found


def read_content(path: Path) -> bytes:
    """Reads the file's bytes. ModelError if it is missing, no regular file, or too large."""
    try:
        status = path.stat()
        # Checked before opening: a pipe would wait for a writer, and /dev/zero has no end.
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise ModelError(f"model {path} is {kind}; {_WHAT_TO_SET}")
        if status.st_size > _LARGEST_FILE:
            raise ModelError(f"model {path} is larger than 2 GiB, the limit of one ONNX file")
        with path.open("rb") as file:
            return file.read(status.st_size)
    except ModelError:
        raise
    except (OSError, ValueError) as error:  # for example a path with a null byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"model {path} cannot be read ({reason}); {_WHAT_TO_SET}") from error


def write_metadata(proto: "onnx.ModelProto", metadata: ModelMetadata) -> None:
    """Writes the metadata into an ONNX model, and replaces what was written before."""
    entry = {
        "label_set": json.loads(metadata.label_set.to_json()),
        "network_size": list(metadata.network_size),
        "precision": metadata.precision,
        "training_data": metadata.training_data,
        "created": metadata.created,
        "project_version": metadata.project_version,
        "iou_data": metadata.iou_data,
        "iou": metadata.iou,
        "flips": metadata.flips,
        "also": [list(size) for size in metadata.also],
    }
    kept = [(prop.key, prop.value) for prop in proto.metadata_props if prop.key != _METADATA_KEY]
    del proto.metadata_props[:]
    for key, value in [*kept, (_METADATA_KEY, json.dumps(entry))]:
        proto.metadata_props.add(key=key, value=value)


def _find(path: Path | str) -> Path:
    """The path of the file: as given, or of the shipped file of that name."""
    try:
        path = Path(path).expanduser()
        is_bare_name = bool(path.name) and path == Path(path.name)
        if is_bare_name and not path.exists():
            shipped = SHIPPED_MODEL.parent / path
            return shipped if shipped.exists() else path
        return path
    except (RuntimeError, OSError, ValueError) as error:  # for example ~NAME of an unknown user
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"model {path} cannot be found: {reason}") from error


def _parse(path: Path, content: bytes) -> "onnx.ModelProto":
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ModelError(
            f"model {path} cannot be read: onnx cannot be imported ({error}); install it with: "
            "pip install onnx"
        ) from error
    try:
        proto = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelError(
            f"model {path} is truncated or is no ONNX file ({len(content)} bytes)"
        ) from error
    if not proto.graph.node:
        raise ModelError(f"model {path} is no ONNX file: it holds no graph")
    _check_self_contained(path, proto)
    return proto


def _check_self_contained(path: Path, proto: "onnx.ModelProto") -> None:
    """Refuses tensors in other files: they could change without changing this file's sha256."""
    from onnx import TensorProto

    for message in _messages(proto):
        if isinstance(message, TensorProto) and (
            message.external_data or message.data_location == TensorProto.EXTERNAL
        ):
            raise ModelError(
                f"model {path} keeps the tensor {message.name!r} in another file; expected one "
                "file with everything in it (see carla_unet_export)"
            )


def _messages(proto: "Message") -> "Iterator[Message]":
    """All messages of a model: tensors are in graphs, attributes, functions and elsewhere."""
    from google.protobuf.message import Message

    waiting = [proto]
    while waiting:
        message = waiting.pop()
        yield message
        for field_, value in message.ListFields():
            if field_.message_type is not None:
                waiting += [value] if isinstance(value, Message) else value


def _check_contract(path: Path, proto: "onnx.ModelProto") -> None:
    """Checks names, types and ranks of inputs and outputs, and the opset."""
    from onnx import TensorProto

    graph = proto.graph
    found = {value.name: ("input", value.type.tensor_type) for value in graph.input}
    found |= {value.name: ("output", value.type.tensor_type) for value in graph.output}
    if set(found) != set(_CONTRACT):
        names = ", ".join(sorted(map(str, found)))  # bytes where a name is no UTF-8
        raise ModelError(
            f"model {path} has the inputs and outputs {names}; expected the "
            f"input frame and the outputs labels and confidence (see carla_unet_export)"
        )
    for name, (side, rank) in _CONTRACT.items():
        found_side, tensor = found[name]
        sizes = [dimension.dim_value for dimension in tensor.shape.dim]
        right_channels = name != "frame" or sizes[-1:] == [4]
        if (
            found_side != side
            or tensor.elem_type != TensorProto.UINT8
            or len(sizes) != rank
            or not right_channels
        ):
            shape = "[height, width, 4]" if name == "frame" else "[height, width]"
            kinds = {number: kind for kind, number in TensorProto.DataType.items()}
            kind = kinds.get(tensor.elem_type, tensor.elem_type)
            raise ModelError(
                f"model {path}: {name} is an {found_side} of type {kind} and shape {sizes} "
                f"(0 = any); expected an {side}, UINT8 {shape}"
            )
    opset = max((entry.version for entry in proto.opset_import if not entry.domain), default=0)
    if opset < _MINIMUM_OPSET:
        raise ModelError(f"model {path} has opset {opset}; expected {_MINIMUM_OPSET} or newer")


def _read_metadata(path: Path, proto: "onnx.ModelProto") -> ModelMetadata:
    text = {prop.key: prop.value for prop in proto.metadata_props}.get(_METADATA_KEY)
    if text is None:
        raise ModelError(
            f"model {path} has no metadata {_METADATA_KEY!r} (label set, network size): its class "
            "ids would be guesses; write it with carla_unet_export"
        )
    try:
        entry = json.loads(text)
        # Refuse what cannot be logged or published: lone surrogates and infinity.
        json.dumps(entry, ensure_ascii=False, allow_nan=False).encode()
        width, height = (int(size) for size in entry["network_size"])
        return ModelMetadata(
            label_set=LabelSet.from_json(json.dumps(entry["label_set"])),
            network_size=(width, height),
            precision=str(entry["precision"]),
            training_data=str(entry["training_data"]),
            created=str(entry["created"]),
            project_version=str(entry["project_version"]),
            iou_data=str(entry.get("iou_data", "")),
            iou={str(name): float(value) for name, value in entry.get("iou", {}).items()},
            flips=bool(entry.get("flips", False)),
            also=tuple((int(width), int(height)) for width, height in entry.get("also", ())),
        )
    except KeyError as error:
        raise ModelError(f"model {path}: its metadata lacks {error}") from error
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise ModelError(f"model {path}: its metadata is unreadable: {error}") from error
