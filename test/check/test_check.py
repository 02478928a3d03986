# SPDX-License-Identifier: Apache-2.0
"""`carla_unet_check` as a user types it: its table, its exit status, Ctrl-C."""

import subprocess
import sys
from pathlib import Path

import pytest
from ros_bench import Process, RosBench

from carla_unet_ros.check.causes import Cause
from carla_unet_ros.check.check import Options, main

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "carla_unet_ros.check.check"]


def test_the_status_is_0_where_all_is_well_also_over_the_network_alone(
    bench: RosBench, monkeypatch: pytest.MonkeyPatch
):
    bench.start("stand_in.camera_node", width=160, height=120)
    bench.until(lambda: bench.node.count_publishers("/clock"))
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", str(ROOT / "config/fastdds_udp.xml"))
    done = subprocess.run([*COMMAND, "--seconds", "5"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok       frame        160x120 bgra8" in done.stdout
    assert "PROBLEM" not in done.stdout


def test_the_status_is_1_where_something_is_wrong_and_only_the_cause_is_told(ros_domain: int):
    done = subprocess.run(
        [*COMMAND, "--seconds", "0.3"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("PROBLEM  domain       no other node is in this ROS domain")
    assert done.stdout.endswith("\n1 problem, 0 warnings\n")
    assert f"in ROS domain {ros_domain}" in done.stderr


@pytest.mark.usefixtures("ros_domain")
def test_control_c_ends_it_cleanly(bench: RosBench, tmp_path: Path):
    check = Process([*COMMAND, "--seconds", "600"], tmp_path / "check.txt")
    bench.until(lambda: "Listening" in check.printed)
    bench.until(lambda: "/carla_unet_check" in fully_named(bench))
    assert check.interrupt() == 130
    assert "Traceback" not in check.printed
    assert check.printed.endswith("stopped\n")


def test_the_documents_table_is_what_the_check_prints():
    """Of the symptoms and cures, word by word."""
    text = (ROOT / "docs" / "carla.md").read_text()
    table = text.partition("| what the check says | what to do |\n|---|---|\n")[2]
    rows = table.partition("\n\n")[0].splitlines()
    assert rows == [f"| {cause.symptom} | {cause.cure} |" for cause in Cause]


def fully_named(bench: RosBench) -> set[str]:
    return {f"/{name}" for name in bench.node.get_node_names()}


def test_native_and_the_cars_name_say_what_is_expected():
    bridge, native = Options(), Options(native=True, role_name="hero")
    assert (bridge.expected.tags, bridge.expected.camera_axes) == ("0.9.13", "optical")
    assert (native.expected.tags, native.expected.camera_axes) == ("0.9.16", "body")
    assert native.expected.vehicle_frame == "hero"
    assert native.topics == (
        "/carla/hero/rgb_front/image",
        "/carla/hero/semantic_segmentation_front/image",
    )
    assert Options(tags="0.9.15", native=True).expected.tags == "0.9.15"


@pytest.mark.usefixtures("wide_terminal")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tags", "0.7"], "no tag table for CARLA '0.7'"),
        (["--seconds", "0"], "--seconds 0.0: expected 0.1 to 3600.0"),
        (["--reliability", "some"], "reliable"),
        (["--image-topic", "a b"], "'a b' is no topic name"),
        (["--role-name", "a b"], "'/carla/a b/rgb_front/image' is no topic name"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert sentence in capsys.readouterr().err


def test_without_ros_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "rclpy", None)
    assert main([]) == 1
    assert "ROS 2 cannot be imported" in capsys.readouterr().err
