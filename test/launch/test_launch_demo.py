# SPDX-License-Identifier: Apache-2.0
"""demo.launch.py under launch_testing: frames become labels, labels are scored, all ends well."""

# launch comes with a ROS installation, not from pip.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "launch_testing", reason="needs ROS's launch packages (apt: ros-jazzy-launch-testing)"
)
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

try:
    SHARE = Path(get_package_share_directory("carla_unet_ros"))
except (PackageNotFoundError, OSError):
    pytest.skip("needs the package built by colcon and sourced", allow_module_level=True)

import launch_testing.actions
import launch_testing.asserts
import tiny_model
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription, SetEnvironmentVariable

from carla_unet_ros.demo.node_processes import free_domain


@pytest.mark.launch_test
def generate_test_description() -> tuple[LaunchDescription, dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="carla_unet_launch_"))
    arguments = {
        "model": str(tiny_model.write(folder / "tiny.onnx")),
        "report": str(folder / "report"),
        "engine": "openvino",
        "width": "64",
        "height": "48",
        "grid": "true",
    }
    demo = IncludeLaunchDescription(
        str(SHARE / "launch" / "demo.launch.py"), launch_arguments=arguments.items()
    )
    environment = {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    return LaunchDescription(
        [
            *(SetEnvironmentVariable(name, value) for name, value in environment.items()),
            demo,
            launch_testing.actions.ReadyToTest(),
        ]
    ), {"folder": folder}


class TestWhileItRuns(unittest.TestCase):
    def test_labels_are_scored_against_the_drives_own_truth(self, proc_output: Any) -> None:
        proc_output.assertWaitFor(
            "mean IoU", process="evaluation_node", timeout=60, stream="stderr"
        )


@launch_testing.post_shutdown_test()
class TestAtTheEnd(unittest.TestCase):
    def test_every_node_ends_with_status_0(self, proc_info: Any) -> None:
        assert len(proc_info.process_names()) == 4
        launch_testing.asserts.assertExitCodes(proc_info)

    def test_no_node_had_an_error(self, proc_output: Any) -> None:
        texts = [line.text.decode() for line in proc_output]
        assert not [text for text in texts if "Traceback" in text or "[ERROR]" in text]

    def test_the_evaluation_leaves_its_report(self, folder: Path) -> None:
        report = json.loads((folder / "report" / "report.json").read_text())
        assert 0.0 < report["mean_iou"] <= 1.0
