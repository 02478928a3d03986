# SPDX-License-Identifier: Apache-2.0
"""What runs after `ros2 launch`: nodes with their parameters, the bridge, RViz; until Ctrl-C."""

import os
import re
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from ament_index_python.packages import get_package_prefix
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python
from ros2_launch import Start, ament_package, missing
from ros_bench import Diagnostics, RosBench, free_ports
from sensor_msgs.msg import PointCloud2

from carla_unet_ros.ground.ground_grid import CameraPose
from carla_unet_ros.simulator.objects_file import read_vehicle
from carla_unet_ros.stand_in.drive import Drive

if missing():
    pytest.skip(missing(), allow_module_level=True)

CONFIG = Path(__file__).parents[2] / "config"
GRID = "/carla/ego_vehicle/rgb_front/segmentation/ground_grid"
CLOUD = "/carla/ego_vehicle/rgb_front/segmentation/semantic_cloud"


def parameters(bench: RosBench, node: str, *names: str) -> list[Any]:
    request = GetParameters.Request(names=names)
    answer = bench.call(GetParameters, f"{node}/get_parameters", request)
    return [parameter_value_to_python(value) for value in answer.values]


def test_arguments_rule_over_the_params_file_and_namespaces_hold(
    launch: Start, bench: RosBench, tiny_model_path: Path, tmp_path: Path
) -> None:
    params_file = tmp_path / "params.yaml"
    params_file.write_text(
        "/**:\n  ros__parameters: {reliability: best_effort, overlay_opacity: 0.1}\n"
        "/car/segmentation:\n  ros__parameters: {overlay_opacity: 0.2, engine: tensorrt}\n"
    )
    node = launch(
        "segmentation.launch.py",
        f"params_file:={params_file}",
        f"model:={tiny_model_path}",
        "namespace:=/car",
        "image_topics:=front/image",
        "overlay_opacity:=0.3",
        "engine:=openvino",
    )
    values = parameters(bench, "/car/segmentation", "overlay_opacity", "engine", "reliability")
    assert values == [0.3, "openvino", "best_effort"]
    bench.until(lambda: bench.node.count_publishers("/car/front/segmentation/labels") == 1)
    assert node.control_c() == 0


def test_control_c_ends_everything_cleanly(
    launch: Start, bench: RosBench, tiny_model_path: Path
) -> None:
    arguments = "evaluate:=true", "grid:=true", "cloud:=true", "width:=64", "height:=48"
    clouds = bench.collect(PointCloud2, CLOUD)
    demo = launch("demo.launch.py", f"model:={tiny_model_path}", *arguments)
    bench.until(lambda: "mean IoU" in demo.printed and clouds)
    bench.until(lambda: bench.node.count_publishers(GRID) == 1)
    assert demo.control_c() == 0
    assert demo.printed.count("process has finished cleanly") == 5


@pytest.mark.once
def test_the_demos_page_is_served_until_control_c(
    launch: Start, bench: RosBench, tiny_model_path: Path
) -> None:
    pytest.importorskip("rerun", reason="the page needs rerun-sdk: pip install '.[view]'")
    ports = [f"{name}:={port}" for name, port in free_ports().items()]
    arguments = "view:=true", "role_name:=hero", "width:=64", "height:=48", *ports
    demo = launch("demo.launch.py", f"model:={tiny_model_path}", *arguments)
    diagnostics = Diagnostics(bench)
    page = bench.until(lambda: diagnostics.value("/view", "page"))
    with urllib.request.urlopen(page, timeout=60) as answer:
        assert "<canvas" in answer.read().decode()
    # Frames, labels and truth are there only under the names of this car.
    bench.until(lambda: int(diagnostics.value("/view", "frames shown")) >= 1)
    assert demo.control_c() == 0


def test_the_demos_nodes_follow_a_car_of_another_name(
    launch: Start, bench: RosBench, tiny_model_path: Path
) -> None:
    arguments = "role_name:=hero", "grid:=true", "width:=64", "height:=48"
    demo = launch("demo.launch.py", f"model:={tiny_model_path}", *arguments)
    bench.until(lambda: "mean IoU" in demo.printed)
    camera = "/carla/hero/rgb_front"
    assert parameters(bench, "/ground_grid", "camera", "vehicle_frame") == [camera, "hero"]
    bench.until(lambda: bench.node.count_publishers(f"{camera}/segmentation/ground_grid") == 1)
    assert demo.control_c() == 0


def test_a_node_that_died_is_started_again(
    launch: Start, bench: RosBench, tiny_model_path: Path
) -> None:
    node = launch("segmentation.launch.py", f"model:={tiny_model_path}", "respawn:=true")
    bench.until(lambda: "ready; 1 camera(s)" in node.printed)
    os.kill(node.started("segmentation_node")[0], signal.SIGKILL)
    bench.until(lambda: node.printed.count("ready; 1 camera(s)") == 2)
    assert node.control_c() == 0


def test_without_autostart_it_waits_for_a_manager(
    launch: Start, bench: RosBench, tiny_model_path: Path
) -> None:
    node = launch("segmentation.launch.py", f"model:={tiny_model_path}", "autostart:=false")
    answer = bench.call(GetState, "/segmentation/get_state", GetState.Request())
    assert answer.current_state.label == "unconfigured"
    assert node.control_c() == 0


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


def test_the_bridge_is_started_with_our_sensors_and_arguments(
    launch: Start,
    bench: RosBench,
    tiny_model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in_of_the_bridge(tmp_path, monkeypatch)
    carla = launch("carla.launch.py", f"model:={tiny_model_path}", "town:=Town03")
    bench.until(lambda: "ready; 1 camera(s)" in carla.printed)
    assert carla.control_c() == 0
    for line in (
        "carla_ros_bridge town=Town03",
        "carla_ros_bridge timeout=20",
        "carla_ros_bridge host=localhost",
        "carla_ros_bridge ego_vehicle_role_name=unset",
        "carla_spawn_objects spawn_sensors_only=unset",
    ):
        assert line in carla.printed
    (objects,) = re.findall(r"objects_definition_file=(\S+)", carla.printed)
    own = Path(get_package_prefix("carla_unet_ros"), "share/carla_unet_ros/config")
    assert Path(objects).samefile(own / "carla_objects.json")


def test_a_car_of_another_name_is_spawned_and_can_be_driven(
    launch: Start, bench: RosBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bridge lets drive only the cars that it is told are ego vehicles."""
    stand_in_of_the_bridge(tmp_path, monkeypatch)
    carla = launch("carla.launch.py", "role_name:=truck", "autostart:=false")
    bench.until(lambda: "spawn_sensors_only=" in carla.printed)
    bench.until(lambda: carla.started("segmentation_node"))
    assert "carla_ros_bridge ego_vehicle_role_name=truck" in carla.printed
    (objects,) = re.findall(r"objects_definition_file=(\S+)", carla.printed)
    vehicle = read_vehicle(Path(objects), "truck")
    ours = read_vehicle(CONFIG / "carla_objects.json")
    assert (vehicle.type, vehicle.sensors) == (ours.type, ours.sensors)
    Path(objects).unlink()
    bench.until(lambda: bench.node.count_publishers("/diagnostics"))
    assert carla.control_c() == 0


def test_a_car_that_the_given_objects_file_lacks_is_refused(
    launch: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_of_the_bridge(tmp_path, monkeypatch)
    objects = f"objects_definition_file:={CONFIG / 'carla_objects.json'}"
    carla = launch("carla.launch.py", "role_name:=truck", objects)
    assert carla.wait() == 1
    assert "has no vehicle 'truck'; it has 'ego_vehicle'" in carla.printed


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


def test_rviz_and_grid_of_the_demo_know_where_the_drives_camera_sits(
    launch: Start,
    bench: RosBench,
    tiny_model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stand-ins of RViz and of the transform's publisher print their arguments."""
    stand_in("rviz2", "rviz2", tmp_path, monkeypatch)
    stand_in("tf2_ros", "static_transform_publisher", tmp_path, monkeypatch)
    arguments = "rviz:=true", "grid:=true", "seed:=4", "width:=64", "height:=48"
    demo = launch("demo.launch.py", f"model:={tiny_model_path}", *arguments)
    height = Drive(64, 48, seed=4).camera_height
    assert parameters(bench, "/ground_grid", "camera_height") == [pytest.approx(height, abs=1e-3)]
    waited_for = "rviz2 -d", "--child-frame-id", "ready; 1 camera(s)", "showing", "[evaluation]"
    bench.until(lambda: all(text in demo.printed for text in waited_for))
    (transform,) = re.findall(r"static_transform_publisher (--.*)", demo.printed)
    options = dict(re.findall(r"--(\S+) (\S+)", transform))
    place = float(options["x"]), 0.0, float(options["z"])
    x, y, z, w = (float(options[f"q{axis}"]) for axis in "xyzw")
    pose = CameraPose.from_quaternion(place, (x, y, z, w), optical=True)
    assert pose.is_close(CameraPose.from_angles(2.0, 0.0, round(height, 3)))
    assert options["frame-id"] == "ego_vehicle"
    assert options["child-frame-id"] == "ego_vehicle/rgb_front"
    (config,) = re.findall(r"rviz2 -d (\S+)", demo.printed)
    assert Path(config).name == "segmentation.rviz"
    assert Path(config).is_file()
    assert demo.control_c() == 0


def test_native_reads_raw_tags_of_new_versions_and_starts_no_bridge(
    launch: Start, bench: RosBench, tiny_model_path: Path
) -> None:
    switches = "evaluate:=true", "grid:=true", "cloud:=true"
    arguments = "native:=true", *switches, f"model:={tiny_model_path}"
    carla = launch("carla.launch.py", *arguments)
    assert parameters(bench, "/evaluation", "tags", "use_sim_time") == ["0.9.16", True]
    assert parameters(bench, "/ground_grid", "camera_axes", "use_sim_time") == ["body", True]
    assert parameters(bench, "/semantic_cloud", "camera_axes", "use_sim_time") == ["body", True]
    assert parameters(bench, "/segmentation", "use_sim_time") == [True]
    assert carla.control_c() == 0
    assert carla.printed.count("process started with pid") == 4


@pytest.mark.parametrize(
    ("given", "camera", "truth", "frame"),
    [
        (["role_name:=hero"], "/carla/hero/rgb_front", "/carla/hero/", "hero"),
        (
            ["image_topics:=/car/front/image/compressed,/car/rear/image", "vehicle_frame:=base"],
            "/car/front",
            "/carla/ego_vehicle/",
            "base",
        ),
    ],
)
def test_rviz_shows_the_topics_that_the_nodes_were_given(
    launch: Start,
    bench: RosBench,
    tiny_model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    camera: str,
    truth: str,
    frame: str,
) -> None:
    stand_in("rviz2", "rviz2", tmp_path, monkeypatch)
    arguments = "native:=true", "rviz:=true", f"model:={tiny_model_path}", *given
    carla = launch("carla.launch.py", *arguments)
    bench.until(lambda: "rviz2 -d" in carla.printed and "ready; " in carla.printed)
    (config,) = re.findall(r"rviz2 -d (\S+)", carla.printed)
    manager = yaml.safe_load(Path(config).read_text())["Visualization Manager"]
    Path(config).unlink()
    topics = {entry["Topic"]["Value"] for entry in manager["Displays"] if "Topic" in entry}
    outputs = "overlay", "ground_grid", "semantic_cloud"
    assert topics == {
        f"{camera}/image",
        *(f"{camera}/segmentation/{output}" for output in outputs),
        f"{truth}semantic_segmentation_front/image",
    }
    assert manager["Global Options"]["Fixed Frame"] == frame
    assert carla.control_c() == 0


@pytest.mark.parametrize(
    ("arguments", "node", "frames"),
    [
        (["source:=cloud"], "cloud_costmap", ("map", "ego_vehicle")),
        (["source:=grid", "native:=true"], "grid_costmap", ("ego_vehicle", "ego_vehicle")),
        (["native:=1", "global_frame:=odom"], "cloud_costmap", ("odom", "ego_vehicle")),
        (["source:=grid", "role_name:=hero"], "grid_costmap", ("map", "hero")),
    ],
)
def test_nav2_gets_its_costmaps_parameters_and_a_manager_without_a_bond(
    launch: Start,
    bench: RosBench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    node: str,
    frames: tuple[str, str],
) -> None:
    """Stand-ins of Nav2's executables print their arguments; the files of these are read."""
    stand_in("nav2_costmap_2d", "nav2_costmap_2d", tmp_path, monkeypatch)
    stand_in("nav2_lifecycle_manager", "lifecycle_manager", tmp_path, monkeypatch)
    ament_package(tmp_path, "semantic_segmentation_layer")
    costmap = launch("nav2_costmap.launch.py", *arguments)
    bench.until(lambda: costmap.printed.count("--ros-args") == 2)
    given: dict[str, Any] = {}
    for line in costmap.printed.splitlines():
        for file in re.findall(r"--params-file (\S+)", line):
            # launch writes a list as a Python tuple, which safe_load refuses.
            for section in yaml.full_load(Path(file).read_text()).values():
                given |= flat(section["ros__parameters"])
    assert f"__node:={node}" in costmap.printed
    assert (given["global_frame"], given["robot_base_frame"]) == frames
    grid = f"/carla/{frames[1]}/rgb_front/segmentation/ground_grid"
    assert given["static_layer.map_topic"] == grid
    assert list(given["node_names"]) == [node]
    assert (given["autostart"], given["bond_timeout"]) == (True, 0.0)
    assert costmap.control_c() == 0


def flat(parameters: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters by their full names, as a node declares them."""
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        full = f"{prefix}{name}"
        found |= flat(value, f"{full}.") if isinstance(value, dict) else {full: value}
    return found
