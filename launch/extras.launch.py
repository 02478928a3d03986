# SPDX-License-Identifier: Apache-2.0
"""What can run beside the segmentation node: evaluate:=true, grid:=true, cloud:=true, view:=true,
rviz:=true.

carla.launch.py and demo.launch.py include this file; all its nodes count in simulation time.
"""

# launch comes with a ROS installation, not from pip.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import atexit
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, TimerAction
from launch_ros.actions import Node

from carla_unet_ros.cloud import semantic_cloud_node
from carla_unet_ros.evaluation import evaluation_node
from carla_unet_ros.ground import ground_grid_node
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.launch_arguments import (
    check_classes,
    configure_node,
    describe_parameter,
    parse_arguments,
    parse_boolean,
)
from carla_unet_ros.ros.parameters import NodeParameter, Value
from carla_unet_ros.segmentation import segmentation_node
from carla_unet_ros.view import view_node

CONFIG = Path(__file__).parents[1] / "config"

SWITCHES = {
    "evaluate": "score the labels against the semantic camera (evaluation_node)",
    "grid": "publish the drivable ground as an occupancy grid (ground_grid_node)",
    "cloud": "publish labelled points, from a depth camera (semantic_cloud_node)",
    "view": "show all of it in a browser, on a time line (view_node)",
    "rviz": "show frames, overlay, truth and grid in RViz",
}

NODES = {
    "evaluate": ("evaluation", evaluation_node.Parameters),
    "grid": ("ground_grid", ground_grid_node.Parameters),
    "cloud": ("semantic_cloud", semantic_cloud_node.Parameters),
    "view": ("view", view_node.Parameters),
}


def start(context: LaunchContext) -> list[TimerAction]:
    arguments = context.launch_configurations
    wanted = {name for name in SWITCHES if parse_boolean(name, arguments[name])}
    if "view" in wanted:
        view_node.require_rerun()
    if wanted & {"grid", "evaluate"}:
        table = ground_grid_node.Parameters
        check_classes(table, table.drivable_classes, arguments)
    nodes = [
        Node(**configure_node(name, table, arguments, use_sim_time=True))
        for switch, (name, table) in NODES.items()
        if switch in wanted
    ]
    if "rviz" in wanted:
        nodes.append(rviz(given_file(arguments) or what_is_shown(arguments)))
    # When all files are read, as in segmentation.launch.py.
    return [TimerAction(period=0.0, actions=nodes)]


def given_file(arguments: Mapping[str, str]) -> str:
    """rviz_config, "" where it is not given; ValueError where it is no file."""
    config = arguments["rviz_config"]
    if config and not Path(config).expanduser().is_file():
        raise ValueError(f"rviz_config {config} is no file; expected one that RViz has saved")
    return config


def what_is_shown(arguments: Mapping[str, str]) -> str:
    """segmentation.rviz, or the path of a copy for the topics and the frame of the nodes."""
    default = CONFIG / "segmentation.rviz"
    tables = segmentation_node.Parameters, *(table for _, table in NODES.values())
    values: dict[str, Value] = {}
    for table in tables:
        values |= parse_arguments(table, arguments)
    images = values.get("image_topics")
    image = CameraTopics(str(images[0]) if isinstance(images, list) else "")
    camera = values.get("camera") or image.camera_info.removesuffix("camera_info").rstrip("/")
    names = {
        "/carla/ego_vehicle/rgb_front": camera,
        "/carla/ego_vehicle/semantic_segmentation_front/image": values.get("truth_topic"),
        "Frame: ego_vehicle": f"Frame: {values.get('vehicle_frame', 'ego_vehicle')}",
    }
    text = before = default.read_text()
    for name, now in names.items():
        text = text.replace(name, now or name)
    if text == before:
        return str(default)
    with NamedTemporaryFile("w", prefix="segmentation_", suffix=".rviz", delete=False) as copy:
        copy.write(text)
    atexit.register(Path(copy.name).unlink, missing_ok=True)  # RViz reads it once, but when?
    return copy.name


def rviz(config: str) -> Node:
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        raise RuntimeError(
            "rviz:=true needs RViz, which is not installed: apt install ros-$ROS_DISTRO-rviz2"
        ) from None
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", config],
        parameters=[{"use_sim_time": True}],
        output="screen",
    )


def declare_parameters() -> list[DeclareLaunchArgument]:
    """An argument for each parameter, also for one that several nodes share."""
    users: dict[NodeParameter[Any], list[str]] = {}
    for name, table in NODES.values():
        for parameter in table.rows():
            users.setdefault(parameter, []).append(f"{name}_node")
    return [
        DeclareLaunchArgument(
            parameter.name,
            default_value="",
            description=f"{', '.join(nodes)}: {describe_parameter(parameter)}",
        )
        for parameter, nodes in users.items()
    ]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value="false", description=text)
                for name, text in SWITCHES.items()
            ),
            DeclareLaunchArgument(
                "rviz_config",
                default_value="",
                description="what RViz shows. Left empty: config/segmentation.rviz, with the "
                "topics and the frame of the nodes",
            ),
            *declare_parameters(),
            OpaqueFunction(function=start),
        ]
    )
