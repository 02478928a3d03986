# SPDX-License-Identifier: Apache-2.0
"""The nodes at work without CARLA: ros2 launch carla_unet_ros demo.launch.py

camera_node stands in for CARLA's bridge: it draws a drive, or plays recorded pairs (source:=DIR).
evaluation_node says every five seconds how well the labels match the drive's own truth.
"""

# launch comes with a ROS installation, not from pip.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Mapping
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    TimerAction,
)
from launch_ros.actions import Node

from carla_unet_ros.ros.launch_arguments import (
    configure_node,
    describe_parameter,
    name_topics_after_car,
    parse_arguments,
    parse_boolean,
)
from carla_unet_ros.stand_in.camera_node import Parameters
from carla_unet_ros.stand_in.drive import Drive

HERE = Path(__file__).parent

OPTICAL_AXES = ("--qx", "-0.5", "--qy", "0.5", "--qz", "-0.5", "--qw", "0.5")


def follow_the_car(context: LaunchContext) -> None:
    """Tells the other nodes where a car of another name has its topics."""
    name_topics_after_car(context.launch_configurations)


def place_camera(context: LaunchContext) -> None:
    """Tells all who compute places how high the drive's camera sits; seeds differ in it."""
    arguments = context.launch_configurations
    users = "evaluate", "grid", "rviz"
    wanted = (parse_boolean(name, arguments.get(name, "false")) for name in users)
    if arguments.get("camera_height") or arguments.get("source") or not any(wanted):
        return
    seed = parse_arguments(Parameters, arguments).get("seed", 0)
    arguments["camera_height"] = f"{Drive(seed=int(str(seed))).camera_height:.3f}"


def start(context: LaunchContext) -> list[TimerAction]:
    arguments = context.launch_configurations
    # It is the one that makes the simulation time.
    nodes = [Node(**configure_node("camera", Parameters, arguments, use_sim_time=False))]
    if parse_boolean("rviz", arguments["rviz"]):
        nodes.append(camera_transform(arguments))
    # When all files are read, as in segmentation.launch.py.
    return [TimerAction(period=0.0, actions=nodes)]


def camera_transform(arguments: Mapping[str, str]) -> Node:
    """The camera's place, as CARLA's bridge has it on /tf: RViz draws the ground by it."""
    vehicle = arguments.get("role_name") or "ego_vehicle"
    place = "--x", arguments.get("camera_x") or "2.0", "--z", arguments["camera_height"] or "2.0"
    frames = "--frame-id", vehicle, "--child-frame-id", f"{vehicle}/rgb_front"
    return Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        arguments=[*place, *OPTICAL_AXES, *frames],
        output="screen",
    )


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "evaluate",
                default_value="true",
                description="score the labels against the drive's own truth (evaluation_node)",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="true",
                description="count in the drive's time (/clock)",
            ),
            *(
                DeclareLaunchArgument(
                    parameter.name,
                    default_value="",
                    description=f"camera_node: {describe_parameter(parameter)}",
                )
                for parameter in Parameters.rows()
            ),
            OpaqueFunction(function=follow_the_car),
            OpaqueFunction(function=place_camera),
            IncludeLaunchDescription(str(HERE / "segmentation.launch.py")),
            IncludeLaunchDescription(str(HERE / "extras.launch.py")),
            OpaqueFunction(function=start),
        ]
    )
