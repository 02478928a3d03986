# SPDX-License-Identifier: Apache-2.0
"""Checks that both engines make: the model file is unchanged, and its outputs fit the frame."""

import hashlib
from collections.abc import Mapping

from carla_unet_ros.engines.engine import EngineError
from carla_unet_ros.model_file import Model, ModelError, read_content


def read_unchanged(model: Model) -> bytes:
    """Reads the model's file. Raises EngineError if it changed since `read_model` checked it."""
    try:
        content = read_content(model.path)
    except ModelError as error:
        raise EngineError(str(error)) from error
    if hashlib.sha256(content).hexdigest() != model.sha256:
        raise EngineError(f"model {model.path} was changed since it was read; start again")
    return content


def check_outputs(engine: str, outputs: Mapping[str, str], height: int, width: int) -> None:
    """Checks an engine's outputs for one frame size: a model may not compute what it declares.

    engine:  name of the engine, the beginning of the error's sentence
    outputs: type and shape that the engine will give for frames of this size, by the output's
             name: {"labels": "uint8 [48, 64]", ...}

    Raises EngineError.
    """
    expected = f"uint8 [{height}, {width}]"
    wrong = [f"{name} of {found}" for name, found in outputs.items() if found != expected]
    if wrong:
        raise EngineError(
            f"{engine} gives {' and '.join(wrong)} for {width}x{height} frames; expected "
            f"{expected}: the model does not keep its contract, export it again "
            "(carla_unet_export)"
        )
