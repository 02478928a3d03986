# SPDX-License-Identifier: Apache-2.0
"""A costmap of Nav2 around the car: ros2 launch carla_unet_ros nav2_costmap.launch.py source:=grid

Run it beside carla.launch.py, which starts what the costmap is made from: cloud:=true or
grid:=true. The costmap is published as /costmap. Its parameters are those of
config/nav2_costmap.yaml.

source:=cloud needs a transform from a fixed frame to the car. CARLA's ROS bridge sends map ->
ego_vehicle (the pseudo-sensor tf in config/carla_objects.json). CARLA's own ROS 2 interface
(native:=true) sends none as of 0.9.16: pass global_frame:=odom where a localisation sends odom ->
ego_vehicle. source:=grid needs none there: the costmap is then in the frame of the car.
"""

# launch comes with a ROS installation, not from pip.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.launch_arguments import find_params_file, parse_boolean

CONFIG = Path(__file__).parents[1] / "config"

LAYER = "build github.com/kiwicampus/semantic_segmentation_layer (branch jazzy) with colcon"
NAV2 = "apt install ros-$ROS_DISTRO-navigation2"
PACKAGES = {
    "cloud": {
        "nav2_costmap_2d": NAV2,
        "nav2_lifecycle_manager": NAV2,
        "semantic_segmentation_layer": LAYER,
    },
    "grid": {"nav2_costmap_2d": NAV2, "nav2_lifecycle_manager": NAV2},
}


def start(context: LaunchContext) -> list[Node]:
    arguments = context.launch_configurations
    source = arguments["source"]
    if source not in PACKAGES:
        raise RuntimeError(f"source is {source!r}; expected one of {', '.join(PACKAGES)}")
    params_file = find_params_file(arguments["params_file"])
    parameters = frames(arguments) | topics(arguments["role_name"])
    for package, cure in PACKAGES[source].items():
        check_installed(package, source, cure)
    name = f"{source}_costmap"
    costmap = Node(
        package="nav2_costmap_2d",
        executable="nav2_costmap_2d",
        name=name,
        parameters=[params_file, parameters],
        output="screen",
    )
    # The costmap has no bond: without the timeout of 0 the manager takes it for dead after 4 s.
    manager = Node(
        package="nav2_lifecycle_manager",
        executable="lifecycle_manager",
        name="lifecycle_manager_costmap",
        parameters=[{"node_names": [name], "autostart": True, "bond_timeout": 0.0}],
        output="screen",
    )
    return [costmap, manager]


def frames(arguments: Mapping[str, str]) -> dict[str, str]:
    """The frames of the costmap: where it stands still, and the car that it moves with."""
    car = arguments["role_name"] or "ego_vehicle"
    fixed = arguments["global_frame"]
    if not fixed and parse_boolean("native", arguments["native"]):
        if arguments["source"] == "cloud":
            raise RuntimeError(
                "source:=cloud needs a fixed frame, and CARLA's own ROS 2 interface sends no "
                f"transform from one to {car}: pass global_frame:=FRAME of a localisation that "
                "does, or source:=grid"
            )
        fixed = car
    return {"robot_base_frame": car, "global_frame": fixed or "map"}


def topics(role: str) -> dict[str, Any]:
    """The topics of a car that has another name than in the params file."""
    if not role:
        return {}
    camera = CameraTopics(f"/carla/{role}/rgb_front/image")
    inputs = {
        "segmentation_topic": "labels",
        "confidence_topic": "confidence",
        "labels_topic": "label_info",
        "pointcloud_topic": "semantic_cloud",
    }
    return {
        "semantic_segmentation_layer": {
            "rgb_front": {name: camera.output(output) for name, output in inputs.items()}
        },
        "static_layer": {"map_topic": camera.output("ground_grid")},
    }


def check_installed(package: str, source: str, cure: str) -> None:
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        raise RuntimeError(
            f"source:={source} needs {package}, which is not installed: {cure}"
        ) from None


def generate_launch_description() -> LaunchDescription:
    arguments = (
        ("source", "cloud", "what the costmap is made from: cloud (semantic_cloud_node) or grid "
         "(ground_grid_node)"),
        ("native", "false", "CARLA speaks ROS 2 itself: no transform from a fixed frame comes"),
        ("global_frame", "", "frame in which the costmap stands still. Left empty: map; with "
         "native:=true the car's frame"),
        ("role_name", "", "the car's name in its topics and frames. Left empty: ego_vehicle"),
        ("params_file", str(CONFIG / "nav2_costmap.yaml"), "YAML file of parameters"),
    )  # fmt: skip
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, default, text in arguments
            ),
            OpaqueFunction(function=start),
        ]
    )
