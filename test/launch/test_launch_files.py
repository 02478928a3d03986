# SPDX-License-Identifier: Apache-2.0
"""What launch files and configuration promise, checked against the nodes; needs no ROS launch."""

import json
import runpy
import sys
import xml.etree.ElementTree as ElementTree
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from rcl_interfaces.srv import ListParameters
from ros_bench import RosBench

from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.parameters import NodeParameter
from carla_unet_ros.stand_in.car_motion import CAMERA_AHEAD

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
MODULES = {
    "segmentation": "segmentation.segmentation_node",
    "camera": "stand_in.camera_node",
    "evaluation": "evaluation.evaluation_node",
    "ground_grid": "ground.ground_grid_node",
    "semantic_cloud": "cloud.semantic_cloud_node",
    "view": "view.view_node",
}
NODES = tuple(MODULES)
WITHOUT_RERUN = NODES[:-1]
# What every node of rclpy declares by itself.
OF_ROS = {"use_sim_time", "start_type_description_service"}


def table(node: str) -> list[NodeParameter[Any]]:
    return import_module(f"carla_unet_ros.{MODULES[node]}").Parameters.rows()


def default(node: str, name: str) -> Any:
    (value,) = (parameter.default for parameter in table(node) if parameter.name == name)
    return value


@pytest.mark.parametrize("path", sorted((ROOT / "launch").glob("*")), ids=lambda path: path.name)
def test_a_launch_file_is_named_as_ros2_launch_wants_it_and_compiles(path: Path) -> None:
    assert path.name.endswith(".launch.py")
    names = compile(path.read_text(), path, "exec").co_names
    assert "generate_launch_description" in names


@pytest.mark.once
def test_each_switch_starts_its_own_node_of_this_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubles stand for launch: its actions only keep what they are given."""
    monkeypatch.setattr("carla_unet_ros.view.view_node.require_rerun", lambda: None)
    for module in ("launch", "launch.actions", "launch_ros.actions"):
        monkeypatch.setitem(sys.modules, module, MagicMock(Node=dict, TimerAction=dict))
    start = runpy.run_path(str(ROOT / "launch/extras.launch.py"))["start"]
    switches = "evaluate", "grid", "cloud", "view", "rviz"
    executables = "evaluation_node", "ground_grid_node", "semantic_cloud_node", "view_node"
    for switch, executable in zip(switches, executables, strict=False):
        arguments = {**dict.fromkeys(switches, "false"), switch: "true", "page_port": "8080"}
        (timer,) = start(SimpleNamespace(launch_configurations=arguments))
        (node,) = timer["actions"]
        assert (node["package"], node["executable"]) == ("carla_unet_ros", executable)
        ports = {"page_port": 8080} if switch == "view" else {}
        assert node["parameters"] == [{"use_sim_time": True} | ports]


def test_each_table_of_arguments_holds_exactly_the_parameters_its_node_declares(
    bench: RosBench, tiny_model_path: Path
) -> None:
    bench.start("segmentation.segmentation_node", model=tiny_model_path, autostart=False)
    for name in WITHOUT_RERUN[1:]:
        bench.start(MODULES[name])
    for name in WITHOUT_RERUN:
        request = ListParameters.Request()
        listed = bench.call(ListParameters, f"/{name}/list_parameters", request).result.names
        declared = {each for each in listed if not each.startswith("qos_overrides.")}
        assert declared - OF_ROS == {parameter.name for parameter in table(name)}


def test_nodes_that_run_together_share_only_arguments_that_mean_the_same() -> None:
    by_name: dict[str, set[NodeParameter[Any]]] = {}
    for node in NODES:
        for parameter in table(node):
            by_name.setdefault(parameter.name, set()).add(parameter)
    differ = {name for name, parameters in by_name.items() if len(parameters) > 1}
    # What the stand-in's semantic camera sends is what the evaluation is to read.
    assert differ == {"tags", "truth"}
    assert default("camera", "tags") == default("evaluation", "tags")


def sensors(path: Path) -> dict[str, dict[str, Any]]:
    """Cameras of an objects file by id: what decides about their pictures."""
    text = json.loads(path.read_text())
    vehicle = text["objects"][0] if "objects" in text else text
    assert vehicle["id"] == "ego_vehicle"
    return {
        sensor["id"]: {
            "type": sensor["type"],
            "pose": sensor["spawn_point"],
            **{
                name: sensor.get("attributes", sensor)[name]
                for name in ("image_size_x", "image_size_y", "fov")
            },
        }
        for sensor in vehicle["sensors"]
        if sensor["type"].startswith("sensor.camera.")
    }


def test_frames_truth_and_depth_have_one_size_field_of_view_and_pose() -> None:
    cameras = sensors(CONFIG / "carla_objects.json")
    kinds = {name: camera.pop("type") for name, camera in cameras.items()}
    assert kinds == {
        "rgb_front": "sensor.camera.rgb",
        "semantic_segmentation_front": "sensor.camera.semantic_segmentation",
        "depth_front": "sensor.camera.depth",
    }
    assert cameras["rgb_front"] == cameras["semantic_segmentation_front"]
    assert cameras["rgb_front"] == cameras["depth_front"]


def test_cameras_are_the_same_with_and_without_the_bridge() -> None:
    assert sensors(CONFIG / "carla_objects.json") == sensors(CONFIG / "carla_native.json")


def test_the_nodes_listen_where_the_spawned_cameras_publish() -> None:
    frames, truth, depth = (
        f"/carla/ego_vehicle/{name}" for name in sensors(CONFIG / "carla_objects.json")
    )
    assert default("segmentation", "image_topics") == [f"{frames}/image"]
    assert default("evaluation", "image_topic") == f"{frames}/image"
    assert default("evaluation", "truth_topic") == f"{truth}/image"
    assert default("evaluation", "labels_topic") == CameraTopics(f"{frames}/image").output(
        "labels"
    )
    assert default("ground_grid", "camera") == default("semantic_cloud", "camera") == frames
    assert default("semantic_cloud", "depth_topic") == f"{depth}/image"


def test_the_grid_knows_where_the_spawned_camera_sits_without_tf() -> None:
    pose = sensors(CONFIG / "carla_objects.json")["rgb_front"]["pose"]
    names = {"x": "x", "y": "y", "z": "height", "roll": "roll", "pitch": "pitch", "yaw": "yaw"}
    for name, parameter in names.items():
        assert default("ground_grid", f"camera_{parameter}") == pose[name]
    assert pose["x"] == CAMERA_AHEAD  # the odometry of the drawn drive is that of the same car


def test_shared_memory_takes_several_large_frames_and_the_network_stays() -> None:
    space = {"": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    profiles = ElementTree.parse(CONFIG / "fastdds_shm.xml").getroot()
    transports = {
        transport.findtext("type", "", space): transport
        for transport in profiles.iterfind(".//transport_descriptor", space)
    }
    assert set(transports) == {"SHM", "UDPv4"}
    frame = 1920 * 1080 * 4
    for setting in ("segment_size", "maxMessageSize"):
        assert int(transports["SHM"].findtext(setting, "0", space)) > frame
    used = [entry.text for entry in profiles.iterfind(".//userTransports/transport_id", space)]
    assert used == [
        transport.findtext("transport_id", "", space) for transport in transports.values()
    ]
    participant = profiles.find("participant", space)
    assert participant is not None
    assert participant.get("is_default_profile") == "true"


def test_the_profile_for_the_network_alone_has_no_shared_memory() -> None:
    space = {"": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    profiles = ElementTree.parse(CONFIG / "fastdds_udp.xml").getroot()
    kinds = [entry.text for entry in profiles.iterfind(".//transport_descriptor/type", space)]
    used = [entry.text for entry in profiles.iterfind(".//userTransports/transport_id", space)]
    assert (kinds, used) == (["UDPv4"], ["network"])
    assert profiles.findtext(".//useBuiltinTransports", "", space) == "false"
