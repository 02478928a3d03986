# SPDX-License-Identifier: Apache-2.0
"""The segmentation node alone: ros2 launch carla_unet_ros segmentation.launch.py

Every parameter of the node is an argument here (--show-args lists them). An argument that is
given rules over params_file, and that over the node's defaults. The node configures and activates
itself; with autostart:=false it waits for a lifecycle manager, or for
ros2 lifecycle set /segmentation configure.
"""

# launch comes with a ROS installation, not from pip.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, TimerAction
from launch_ros.actions import Node

from carla_unet_ros.ros.launch_arguments import configure_node, describe_parameter, parse_boolean
from carla_unet_ros.segmentation.segmentation_node import Parameters

CONFIG = Path(__file__).parents[1] / "config"

SECONDS_TO_RESPAWN = 2.0


def start(context: LaunchContext) -> list[TimerAction]:
    arguments = context.launch_configurations
    fixed = {}
    if arguments["use_sim_time"]:
        fixed["use_sim_time"] = parse_boolean("use_sim_time", arguments["use_sim_time"])
    segmentation = Node(
        **configure_node("segmentation", Parameters, arguments, **fixed),
        respawn=parse_boolean("respawn", arguments["respawn"]),
        respawn_delay=SECONDS_TO_RESPAWN,
    )
    # When all files are read: where a later one has an error, launch forgets what it has just
    # started, and the process would live on.
    return [TimerAction(period=0.0, actions=[segmentation])]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=str(CONFIG / "segmentation.yaml"),
                description="YAML file of parameters",
            ),
            DeclareLaunchArgument(
                "namespace",
                default_value="",
                description="namespace of the node, and of image topics given without a leading /",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="",
                description="count image ages in simulation time (/clock). Left empty: as in "
                "params_file",
            ),
            DeclareLaunchArgument(
                "respawn",
                default_value="false",
                description="start the node again when it ends by itself",
            ),
            *(
                DeclareLaunchArgument(
                    parameter.name, default_value="", description=describe_parameter(parameter)
                )
                for parameter in Parameters.rows()
            ),
            OpaqueFunction(function=start),
        ]
    )
