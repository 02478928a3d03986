# SPDX-License-Identifier: Apache-2.0
"""Segmentation in a running CARLA: ros2 launch carla_unet_ros carla.launch.py town:=Town03

Starts CARLA's ROS bridge, spawns the ego vehicle with an RGB and a semantic camera of one size,
field of view and pose (config/carla_objects.json), and segments what the first one sees.

native:=true is for CARLA 0.9.16 and newer, started with --ros2, which need no bridge. Then
spawn:=true spawns the car with the cameras of config/carla_native.json, and drives it.
grid:=true then needs camera_fov:=90 as well: the focal length that 0.9.16 sends is wrong.
"""

# launch comes with a ROS installation, not from pip.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
    TimerAction,
)
from launch_ros.substitutions import ExecutableInPackage

from carla_unet_ros.ros.launch_arguments import (
    name_topics_after_car,
    parse_boolean,
    parse_number,
)
from carla_unet_ros.simulator.objects_file import check_vehicle, read_vehicle, rename_vehicle

HERE = Path(__file__).parent
CONFIG = HERE.parent / "config"

# For the bridge and for what spawns the car: name, default, description. The bridge's own time
# limit of 2 s is shorter than the loading of a town.
BRIDGE_ARGUMENTS = (
    ("host", "localhost", "machine CARLA runs on"),
    ("port", "2000", "CARLA's TCP port"),
    ("timeout", "20", "seconds to wait for CARLA"),
    ("town", "Town01", "town to load"),
    ("passive", "False", "another client ticks the simulation"),
    ("fixed_delta_seconds", "0.05", "simulated seconds from frame to frame"),
    (
        "objects_definition_file",
        "",
        "vehicle and sensors. Left empty: config/carla_objects.json, with the vehicle named "
        "role_name; config/carla_native.json with native:=true",
    ),
    ("spawn_point_ego_vehicle", "None", "x,y,z,roll,pitch,yaw; None is a random spawn point"),
)

# Where frames do not come through the bridge, whose ways are the nodes' defaults.
NATIVE_PARAMETERS = {"tags": "0.9.16", "camera_axes": "body"}


def simulator(context: LaunchContext) -> list[TimerAction]:
    """What starts the bridge; nothing where CARLA speaks ROS 2 itself.

    The nodes learn here, too, which car and whose tags they will see.
    """
    arguments = context.launch_configurations
    name_topics_after_car(arguments)
    if parse_boolean("native", arguments["native"]):
        for name, value in NATIVE_PARAMETERS.items():
            arguments[name] = arguments.get(name) or value
        return spawner(arguments) if parse_boolean("spawn", arguments["spawn"]) else []
    if parse_boolean("spawn", arguments["spawn"]):
        raise ValueError("spawn:=true is for native:=true; the bridge spawns the car by itself")
    arguments["objects_definition_file"] = objects_file(arguments)
    if role := arguments.get("role_name"):
        # Otherwise the bridge takes it for one of many cars, which nobody can drive.
        arguments["ego_vehicle_role_name"] = role
    places = [package_share(name) for name in ("carla_ros_bridge", "carla_spawn_objects")]
    files = [IncludeLaunchDescription(str(place / f"{place.name}.launch.py")) for place in places]
    # When all files are read, as in segmentation.launch.py.
    return [TimerAction(period=0.0, actions=files)]


def spawner(arguments: Mapping[str, str]) -> list[TimerAction]:
    """What spawns the car where CARLA speaks ROS 2 itself, drives it, and ticks."""
    path = arguments["objects_definition_file"] or str(CONFIG / "carla_native.json")
    read_vehicle(Path(path))
    rate = 1.0 / parse_number("fixed_delta_seconds", arguments["fixed_delta_seconds"])
    options = {
        "file": path,
        "role-name": arguments.get("role_name"),
        **{name: arguments[name] for name in ("host", "port", "timeout", "town")},
        "ticks-per-second": f"{rate:g}",
    }
    words = [f"--{name}={value}" for name, value in options.items() if value]
    executable = ExecutableInPackage("carla_unet_spawn", "carla_unet_ros")
    # Without it the simulation stands still.
    car = ExecuteProcess(
        cmd=[executable, *words], name="carla_unet_spawn", output="screen", on_exit=Shutdown()
    )
    return [TimerAction(period=0.0, actions=[car])]


def objects_file(arguments: Mapping[str, str]) -> str:
    """The objects file that has the car role_name: the one given, ours, or a copy of ours.

    InputError where the one that is given cannot be read, or has no such car.
    """
    given, role = arguments["objects_definition_file"], arguments.get("role_name", "")
    if given:
        check_vehicle(Path(given), role)
        return given
    ours = CONFIG / "carla_objects.json"
    if not role or read_vehicle(ours).id == role:
        return str(ours)
    with NamedTemporaryFile("w", prefix="carla_objects_", suffix=".json", delete=False) as copy:
        copy.write(rename_vehicle(ours, role))
    return copy.name


def package_share(package: str) -> Path:
    try:
        return Path(get_package_share_directory(package))
    except PackageNotFoundError:
        raise RuntimeError(
            f"{package} is not installed: build github.com/carla-simulator/ros-bridge with colcon "
            "and source its install/setup.bash, or add native:=true for a CARLA 0.9.16 or newer "
            "that was started with --ros2"
        ) from None


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "native",
                default_value="false",
                description="take the frames of CARLA's own ROS 2 interface (0.9.16 and newer), "
                "start no bridge; tags is then 0.9.16 and camera_axes body, unless given",
            ),
            DeclareLaunchArgument(
                "spawn",
                default_value="false",
                description="with native:=true: spawn the car with its cameras, drive it on "
                "autopilot, and tick (carla_unet_spawn)",
            ),
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, default, text in BRIDGE_ARGUMENTS
            ),
            DeclareLaunchArgument(
                "role_name",
                default_value="",
                description="the vehicle's name in its topics; its id in your own objects file. "
                "Left empty: ego_vehicle",
            ),
            DeclareLaunchArgument(
                "use_sim_time", default_value="true", description="count in CARLA's time (/clock)"
            ),
            OpaqueFunction(function=simulator),
            IncludeLaunchDescription(str(HERE / "segmentation.launch.py")),
            IncludeLaunchDescription(str(HERE / "extras.launch.py")),
        ]
    )
