# SPDX-License-Identifier: Apache-2.0
"""Stand-ins of what is not installed here: the bridge's launch files, RViz, Nav2."""

import os
from pathlib import Path

import pytest
from ros2_launch import ament_package

BRIDGE_FILE = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo
from launch.substitutions import LaunchConfiguration

def generate_launch_description():
    names = {names}
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value="unset") for name in names),
        *(LogInfo(msg=["{package} ", name, "=", LaunchConfiguration(name)]) for name in names),
    ])
"""


def stand_in_of_the_bridge(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Launch files of the bridge's names, which print what they are given."""
    for package, names in (
        ("carla_ros_bridge", ("town", "timeout", "host", "ego_vehicle_role_name")),
        ("carla_spawn_objects", ("objects_definition_file", "spawn_sensors_only")),
    ):
        file = ament_package(prefix, package) / f"{package}.launch.py"
        file.write_text(BRIDGE_FILE.format(names=names, package=package))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}")


STAND_IN = """#!/usr/bin/env python3
import signal, sys
ends = {{signal.SIGINT, signal.SIGTERM}}
signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # launch may send one twice
print("{name}", *sys.argv[1:], flush=True)
signal.sigwait(ends)
"""


def stand_in(package: str, name: str, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An executable of a package that is not installed here: it prints its arguments and waits."""
    ament_package(prefix, package)
    executable = prefix / "lib" / package / name
    executable.parent.mkdir(parents=True)
    executable.write_text(STAND_IN.format(name=name))
    executable.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}")
