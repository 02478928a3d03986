# SPDX-License-Identifier: Apache-2.0
"""The entry points of the training commands. They name packages that are not installed.

The commands are also installed in the vehicle, where torch and the readers of bags may be missing:
these come with an extra.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module

_EXTRAS = {
    "train": "training",
    "export": "training",
    "quantize": "training",
    "from_bag": "training",
    "label": "training",
    "record": "record",
    "evaluate": "ros",
}


def _command(tool: str) -> Callable[[], int]:
    def main() -> int:
        try:
            module = import_module(f"carla_unet_ros.training.{tool}")
        except ModuleNotFoundError as error:
            print(
                f"carla_unet_{tool} needs {error.name}, which is not installed: "
                f"pip install 'carla_unet_ros[{_EXTRAS[tool]}]'",
                file=sys.stderr,
            )
            return 1
        return module.main()

    return main


def train() -> int:
    # OpenMP's threads would spin while they wait, and the loader's workers need the cores. OpenMP
    # reads this variable once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return _command("train")()


export = _command("export")
quantize = _command("quantize")
from_bag = _command("from_bag")
label = _command("label")
record = _command("record")
evaluate = _command("evaluate")
