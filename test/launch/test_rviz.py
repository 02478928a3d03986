# SPDX-License-Identifier: Apache-2.0
"""What RViz shows by our configuration, checked against the nodes; needs no RViz."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rclpy.qos import (
    DurabilityPolicy,
    LivelinessPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from ros_bench import RosBench
from rviz_layout import dock_names

from carla_unet_ros.ground.ground_grid_node import Parameters as GroundGrid

FILE = Path(__file__).parents[2] / "config" / "segmentation.rviz"
IMAGE, GRID = "sensor_msgs/msg/Image", "nav_msgs/msg/OccupancyGrid"
CLOUD = "sensor_msgs/msg/PointCloud2"


@dataclass(frozen=True)
class Shown:
    """What a display of RViz subscribes to."""

    display: str
    topic: str
    type: str
    qos: QoSProfile


TYPES = {
    "rviz_default_plugins/Image": IMAGE,
    "rviz_default_plugins/Camera": IMAGE,
    "rviz_default_plugins/Map": GRID,
    "rviz_default_plugins/PointCloud2": CLOUD,
}


def rviz_file() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text())


def rviz() -> dict[str, Any]:
    return rviz_file()["Visualization Manager"]


def shown() -> list[Shown]:
    return [
        Shown(
            display["Name"],
            display["Topic"]["Value"],
            TYPES[display["Class"]],
            QoSProfile(
                depth=display["Topic"]["Depth"],
                liveliness=LivelinessPolicy.AUTOMATIC,
                reliability=ReliabilityPolicy[_constant(display["Topic"]["Reliability Policy"])],
                durability=DurabilityPolicy[_constant(display["Topic"]["Durability Policy"])],
            ),
        )
        for display in rviz()["Displays"]
        if "Topic" in display
    ]


def _constant(name: str) -> str:
    return name.upper().replace(" ", "_")


def test_rviz_shows_frame_overlay_truth_and_the_ground_in_three_dimensions_and_in_the_frame() -> (
    None
):
    classes = [display["Class"].rpartition("/")[2] for display in rviz()["Displays"]]
    expected = "Camera", "Grid", "Image", "Image", "Image", "Map", "PointCloud2", "TF"
    assert sorted(classes) == list(expected)
    topics = {entry.topic.removeprefix("/carla/ego_vehicle/") for entry in shown()}
    assert topics == {
        "rgb_front/image",
        "rgb_front/segmentation/overlay",
        "semantic_segmentation_front/image",
        "rgb_front/segmentation/ground_grid",
        "rgb_front/segmentation/semantic_cloud",
    }
    (camera,) = (entry for entry in rviz()["Displays"] if entry["Class"].endswith("Camera"))
    assert camera["Visibility"]["Drivable ground"] is True


def test_the_cloud_is_shown_in_its_own_colours_once_somebody_switches_it_on() -> None:
    """While it is off, RViz does not subscribe: nobody computes points or draws depth."""
    (points,) = (entry for entry in rviz()["Displays"] if entry["Class"].endswith("PointCloud2"))
    assert (points["Enabled"], points["Value"]) == (False, False)
    assert points["Color Transformer"] == "RGB8"


def test_the_window_of_rviz_has_a_place_for_every_picture_and_panel() -> None:
    content = rviz_file()
    pictures = [
        display["Name"]
        for display in rviz()["Displays"]
        if display["Class"].endswith(("/Image", "/Camera"))
    ]
    panels = [panel["Name"] for panel in content["Panels"]]
    placed = dock_names(content["Window Geometry"]["QMainWindow State"])
    assert sorted(placed) == sorted([*pictures, *panels])
    assert "Views" not in panels


def test_every_display_gets_its_topic_from_the_nodes_with_a_fitting_qos(
    bench: RosBench, tiny_model_path: Path
) -> None:
    bench.start("stand_in.camera_node", width=64, height=48)
    bench.start("segmentation.segmentation_node", model=tiny_model_path, engine="openvino")
    bench.start("ground.ground_grid_node")
    bench.start("cloud.semantic_cloud_node")
    assert shown()
    for entry in shown():
        (publisher,) = bench.until(
            lambda topic=entry.topic: bench.node.get_publishers_info_by_topic(topic)
        )
        assert publisher.topic_type == entry.type, entry
        compatible, reason = qos_check_compatible(publisher.qos_profile, entry.qos)
        assert compatible == QoSCompatibility.OK, (entry, reason)


def test_the_camera_display_finds_a_calibration_beside_its_image(
    bench: RosBench, tiny_model_path: Path
) -> None:
    (display,) = (entry for entry in rviz()["Displays"] if entry["Class"].endswith("Camera"))
    info = f"{display['Topic']['Value'].rpartition('/')[0]}/camera_info"
    bench.start("segmentation.segmentation_node", model=tiny_model_path, engine="openvino")
    (publisher,) = bench.until(lambda: bench.node.get_publishers_info_by_topic(info))
    assert publisher.topic_type == "sensor_msgs/msg/CameraInfo"


def test_rviz_needs_no_transform_to_draw_the_grid() -> None:
    assert rviz()["Global Options"]["Fixed Frame"] == GroundGrid.vehicle_frame.default
    (ground,) = (entry for entry in rviz()["Displays"] if entry["Class"].endswith("Map"))
    assert ground["Update Topic"]["Value"] == f"{ground['Topic']['Value']}_updates"
