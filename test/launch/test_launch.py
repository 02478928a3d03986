# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch` as a user types it: which arguments there are, what is refused and how."""

import re

import pytest
from ros2_launch import Start, installed, missing

if missing():
    pytest.skip(missing(), allow_module_level=True)

from carla_unet_ros.cloud import semantic_cloud_node
from carla_unet_ros.evaluation import evaluation_node
from carla_unet_ros.ground import ground_grid_node
from carla_unet_ros.segmentation import segmentation_node
from carla_unet_ros.stand_in import camera_node
from carla_unet_ros.view import view_node

SEGMENTATION = {parameter.name for parameter in segmentation_node.Parameters.rows()}
SEGMENTATION |= {"params_file", "namespace", "use_sim_time", "respawn"}
EXTRAS = {parameter.name for parameter in evaluation_node.Parameters.rows()}
EXTRAS |= {parameter.name for parameter in ground_grid_node.Parameters.rows()}
EXTRAS |= {parameter.name for parameter in semantic_cloud_node.Parameters.rows()}
EXTRAS |= {parameter.name for parameter in view_node.Parameters.rows()}
EXTRAS |= {"evaluate", "grid", "cloud", "view", "rviz", "rviz_config"}
CAMERA = {parameter.name for parameter in camera_node.Parameters.rows()}
BRIDGE = {"native", "host", "port", "timeout", "town", "passive", "fixed_delta_seconds"}
BRIDGE |= {"spawn", "objects_definition_file", "spawn_point_ego_vehicle", "role_name"}
NAV2 = {"source", "native", "global_frame", "role_name", "params_file"}


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("segmentation.launch.py", SEGMENTATION),
        ("carla.launch.py", SEGMENTATION | EXTRAS | BRIDGE),
        ("demo.launch.py", SEGMENTATION | EXTRAS | CAMERA),
        ("nav2_costmap.launch.py", NAV2),
    ],
)
def test_every_parameter_is_an_argument_with_a_description(
    launch: Start, file: str, names: set[str]
) -> None:
    shown = launch(file, "--show-args")
    assert shown.wait() == 0
    described = dict(re.findall(r"^    '(\w+)':\n        (.+)$", shown.printed, re.MULTILINE))
    assert set(described) == names
    assert "no description given" not in described.values()


@pytest.mark.parametrize(
    ("file", "arguments", "sentence"),
    [
        ("segmentation", ["engine:=cuda"], "engine is 'cuda'; expected one of auto, tensorrt"),
        ("segmentation", ["respawn:=often"], "respawn is 'often'; expected true or false"),
        ("segmentation", ["params_file:=/none.yaml"], "params_file /none.yaml is no file"),
        ("demo", ["rate:=0"], "rate is 0; expected 0.1 to 1000"),
        ("demo", ["grid:=true", "left:=far"], "left is 'far'; expected a number"),
        ("demo", ["cloud:=true", "stride:=0"], "stride is 0; expected 1 to 64"),
        ("carla", ["native:=true", "evaluate:=1", "tags:=0.7"], "no tag table for CARLA '0.7'"),
        ("demo", ["source:=/none"], "source: /none has no known layout: found no folder"),
        ("demo", ["drivable_classes:=Road"], "has no class 'Road'; it has None"),
        ("demo", ["rviz:=1", "rviz_config:=/none.rviz"], "rviz_config /none.rviz is no file"),
        ("carla", ["objects_definition_file:=/none.json"], "/none.json cannot be read: No such"),
        ("carla", ["spawn:=true"], "spawn:=true is for native:=true"),
        ("carla", ["native:=maybe"], "native is 'maybe'; expected true or false"),
        ("nav2_costmap", ["source:=map"], "source is 'map'; expected one of cloud, grid"),
        ("nav2_costmap", ["native:=true"], "sends no transform from one to ego_vehicle: pass"),
        ("nav2_costmap", ["params_file:=/none.yaml"], "params_file /none.yaml is no file"),
    ],
)
def test_a_wrong_argument_is_refused_in_a_sentence_and_nothing_is_left_running(
    launch: Start, file: str, arguments: list[str], sentence: str
) -> None:
    refused = launch(f"{file}.launch.py", *arguments)
    assert refused.wait() == 1
    assert sentence in refused.printed


@pytest.mark.skipif(installed("carla_ros_bridge"), reason="CARLA's bridge is installed here")
def test_without_carlas_bridge_one_sentence_says_what_to_install(launch: Start) -> None:
    refused = launch("carla.launch.py")
    assert refused.wait() == 1
    (line,) = (line for line in refused.printed.splitlines() if "ERROR" in line)
    assert "carla_ros_bridge is not installed: build github.com/carla-simulator/ros-bridge" in line
    assert "native:=true" in line


@pytest.mark.skipif(installed("rviz2"), reason="RViz is installed here")
def test_without_rviz_one_sentence_says_what_to_install(launch: Start) -> None:
    refused = launch("carla.launch.py", "native:=true", "rviz:=true")
    assert refused.wait() == 1
    assert "rviz:=true needs RViz, which is not installed: apt install" in refused.printed


@pytest.mark.skipif(installed("nav2_costmap_2d"), reason="Nav2 is installed here")
def test_without_nav2_one_sentence_says_what_to_install(launch: Start) -> None:
    refused = launch("nav2_costmap.launch.py", "source:=grid")
    assert refused.wait() == 1
    assert "source:=grid needs nav2_costmap_2d, which is not installed: apt" in refused.printed
