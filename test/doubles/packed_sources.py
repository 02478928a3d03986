# SPDX-License-Identifier: Apache-2.0
"""A copy of the sources, from which the package is built, and commands that must succeed."""

import os
import shutil
import subprocess
from pathlib import Path

NAME = "carla_unet_ros"


ROOT = Path(__file__).parents[2]


PACKED = (
    NAME,
    "training",
    "launch",
    "config",
    "resource",
    "LICENSE",
    "README.md",
    "pyproject.toml",
)
PACKED += ("package.xml", "setup.py", "setup.cfg")


def copy_of_the_sources(folder: Path) -> Path:
    source = folder / "src"
    source.mkdir()
    for name in PACKED:
        path = ROOT / name
        if path.is_dir():
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, source / name, symlinks=True, ignore=skipped)
        elif path.is_file():
            shutil.copy(path, source / name)
    return source


def run(command: list[str], folder: Path) -> str:
    """Output of a command that must succeed; its errors are shown where it does not."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
