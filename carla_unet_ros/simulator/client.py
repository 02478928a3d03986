# SPDX-License-Identifier: Apache-2.0
"""Imports CARLA's Python module, which only a machine beside the simulator has."""

from importlib import import_module
from typing import Any

from carla_unet_ros.errors import InputError


def import_carla() -> Any:
    """The module `carla`. InputError that says how to get it where it is missing."""
    try:
        return import_module("carla")
    except ImportError as error:
        raise InputError(
            f"the simulator's Python module is missing ({error}); install the one of your "
            "simulator's version: pip install carla==0.9.16"
        ) from error
