"""`ros2 launch` as a user types it: arguments, refusals in a sentence, Ctrl-C, what runs."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ament_index_python.packages import PackageNotFoundError, get_package_prefix

if shutil.which("ros2") is None:
    pytest.skip("needs ROS's launch packages (apt: ros-jazzy-ros2launch)", allow_module_level=True)
pytest.importorskip("launch_ros", reason="needs ROS's launch packages (apt: ros-jazzy-launch-ros)")


def installed(package: str) -> bool:
    try:
        get_package_prefix(package)
    except (PackageNotFoundError, OSError):
        return False
    return True


if not installed("carla_unet_ros"):
    pytest.skip("needs the package built by colcon and sourced", allow_module_level=True)

from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python
from ros_bench import RosBench

from carla_unet_ros import camera_node, evaluation_node, ground_grid_node, segmentation_node
from carla_unet_ros.drive import Drive
from carla_unet_ros.ground_grid import CameraPose

SEGMENTATION = {parameter.name for parameter in segmentation_node.PARAMETERS}
SEGMENTATION |= {"params_file", "namespace", "use_sim_time", "respawn"}
EXTRAS = {parameter.name for parameter in evaluation_node.PARAMETERS}
EXTRAS |= {parameter.name for parameter in ground_grid_node.PARAMETERS}
EXTRAS |= {"evaluate", "grid", "rviz", "rviz_config"}
CAMERA = {parameter.name for parameter in camera_node.PARAMETERS}
BRIDGE = {"native", "host", "port", "timeout", "town", "passive", "fixed_delta_seconds"}
BRIDGE |= {"objects_definition_file", "spawn_point_ego_vehicle"}

GRID = "/carla/ego_vehicle/rgb_front/segmentation/ground_grid"
_PATIENCE = 60.0


class Launch:
    """`ros2 launch carla_unet_ros <file> <arguments>`, in a process group as in a terminal."""

    def __init__(self, output: Path, file: str, *arguments: str) -> None:
        self._output = output
        with output.open("w") as stream:
            self._process = subprocess.Popen(
                ["ros2", "launch", "carla_unet_ros", file, *arguments],
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def started(self, executable: str) -> list[int]:
        """Process ids under which it was started so far."""
        pattern = rf"\[{executable}-\d+\]: process started with pid \[(\d+)\]"
        return [int(pid) for pid in re.findall(pattern, self.printed)]

    def wait(self) -> int:
        """The exit status; every process it started must be gone with it."""
        status = self._process.wait(_PATIENCE)
        assert "Traceback" not in self.printed, self.printed
        assert not self._left(), (self._left(), self.printed)
        return status

    def control_c(self) -> int:
        os.killpg(self._process.pid, signal.SIGINT)
        return self.wait()

    def close(self) -> None:
        """Ends whatever is still there."""
        for pid in [self._process.pid, *self._left()]:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _left(self) -> list[int]:
        """Processes of its session, but for itself."""
        command = ["ps", "-o", "pid=,stat=", "-s", str(self._process.pid)]
        lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
        alive = [int(line.split()[0]) for line in lines if not line.split()[1].startswith("Z")]
        return [pid for pid in alive if pid != self._process.pid]


Start = Callable[..., Launch]


@pytest.fixture
def launch(ros_domain: int, tmp_path: Path) -> Iterator[Start]:
    del ros_domain
    launches: list[Launch] = []

    def start(file: str, *arguments: str) -> Launch:
        launches.append(Launch(tmp_path / f"launch_{len(launches)}.txt", file, *arguments))
        return launches[-1]

    yield start
    for entry in launches:
        entry.close()


def parameters(bench: RosBench, node: str, *names: str) -> list[Any]:
    request = GetParameters.Request(names=names)
    answer = bench.call(GetParameters, f"{node}/get_parameters", request)
    return [parameter_value_to_python(value) for value in answer.values]


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("segmentation.launch.py", SEGMENTATION),
        ("carla.launch.py", SEGMENTATION | EXTRAS | BRIDGE),
        ("demo.launch.py", SEGMENTATION | EXTRAS | CAMERA),
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
        ("carla", ["native:=true", "evaluate:=1", "tags:=0.7"], "no tag table for CARLA '0.7'"),
        ("carla", ["native:=maybe"], "native is 'maybe'; expected true or false"),
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
    arguments = "evaluate:=true", "grid:=true", "width:=64", "height:=48"
    demo = launch("demo.launch.py", f"model:={tiny_model_path}", *arguments)
    bench.until(lambda: "mean IoU" in demo.printed)
    bench.until(lambda: bench.node.count_publishers(GRID) == 1)
    assert demo.control_c() == 0
    assert demo.printed.count("process has finished cleanly") == 4


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
    from lifecycle_msgs.srv import GetState

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
    launch: Start, tiny_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in of the bridge's launch files prints what it is given."""
    for package, names in (
        ("carla_ros_bridge", ("town", "timeout", "host")),
        ("carla_spawn_objects", ("objects_definition_file", "spawn_sensors_only")),
    ):
        file = ament_package(tmp_path, package) / f"{package}.launch.py"
        file.write_text(BRIDGE_FILE.format(names=names, package=package))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{os.environ['AMENT_PREFIX_PATH']}")
    carla = launch("carla.launch.py", f"model:={tiny_model_path}", "town:=Town03")
    _wait_for(carla, "ready; 1 camera(s)")
    assert carla.control_c() == 0
    for line in (
        "carla_ros_bridge town=Town03",
        "carla_ros_bridge timeout=20",
        "carla_ros_bridge host=localhost",
        "carla_spawn_objects spawn_sensors_only=unset",
    ):
        assert line in carla.printed
    (objects,) = re.findall(r"objects_definition_file=(\S+)", carla.printed)
    own = Path(get_package_prefix("carla_unet_ros"), "share/carla_unet_ros/config")
    assert Path(objects).samefile(own / "carla_objects.json")


STAND_IN = """#!/usr/bin/env python3
import sys, time
print("{name}", *sys.argv[1:], flush=True)
try:
    time.sleep(600)
except KeyboardInterrupt:
    pass
"""


def test_rviz_and_grid_of_the_demo_know_where_the_drives_camera_sits(
    launch: Start,
    bench: RosBench,
    tiny_model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stand-ins of RViz and of the transform's publisher print their arguments."""
    for package, name in (("rviz2", "rviz2"), ("tf2_ros", "static_transform_publisher")):
        ament_package(tmp_path, package)
        executable = tmp_path / "lib" / package / name
        executable.parent.mkdir(parents=True)
        executable.write_text(STAND_IN.format(name=name))
        executable.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{os.environ['AMENT_PREFIX_PATH']}")
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
    arguments = "native:=true", "evaluate:=true", "grid:=true", f"model:={tiny_model_path}"
    carla = launch("carla.launch.py", *arguments)
    assert parameters(bench, "/evaluation", "tags", "use_sim_time") == ["0.9.16", True]
    assert parameters(bench, "/ground_grid", "camera_axes", "use_sim_time") == ["body", True]
    assert parameters(bench, "/segmentation", "use_sim_time") == [True]
    assert carla.control_c() == 0
    assert carla.printed.count("process started with pid") == 3


def ament_package(prefix: Path, package: str) -> Path:
    """Makes the package known to ROS; returns its share folder."""
    index = prefix / "share/ament_index/resource_index/packages" / package
    index.parent.mkdir(parents=True, exist_ok=True)
    index.touch()
    share = prefix / "share" / package
    share.mkdir()
    return share


def _wait_for(launch: Launch, text: str) -> None:
    from time import monotonic, sleep

    end = monotonic() + _PATIENCE
    while text not in launch.printed:
        assert monotonic() < end, launch.printed
        sleep(0.05)
