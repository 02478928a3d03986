# SPDX-License-Identifier: Apache-2.0
"""What `ros2 launch` starts for CARLA: the bridge with our sensors, or none; the nodes; RViz."""

import re
from pathlib import Path

import pytest
import yaml
from ament_index_python.packages import get_package_prefix
from launch_stand_ins import stand_in, stand_in_of_the_bridge
from node_services import parameters
from ros2_launch import Start, missing
from ros_bench import RosBench

from carla_unet_ros.simulator.objects_file import read_vehicle

if missing():
    pytest.skip(missing(), allow_module_level=True)


CONFIG = Path(__file__).parents[2] / "config"


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
