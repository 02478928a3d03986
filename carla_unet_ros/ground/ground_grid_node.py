# SPDX-License-Identifier: Apache-2.0
"""Publishes the drivable ground around the vehicle as an occupancy grid for planners.

    in    <camera>/segmentation/labels        sensor_msgs/Image mono8, class ids
          <camera>/segmentation/legend        std_msgs/String, latched: which id is which class
          <camera>/segmentation/camera_info   sensor_msgs/CameraInfo
          <camera>/camera_info                sensor_msgs/CameraInfo, used until the other one came
          /tf, /tf_static                     the camera's pose, where tf2_ros is installed
    out   <camera>/segmentation/ground_grid   nav_msgs/OccupancyGrid, stamp of the labels
          /diagnostics                        once a second

A cell is 0 where the camera sees drivable classes, 100 where it sees other classes, and -1 where
it sees nothing. The ground is assumed to be flat (ground_grid.py). QoS is reliable, keep last 1
and volatile: unlike a map, an old grid is of no use to a subscriber that joins late. While nobody
subscribes to the grid, the node subscribes to nothing and computes nothing.
"""

import sys
from typing import Any

from nav_msgs.msg import OccupancyGrid
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from carla_unet_ros.camera_model import LARGEST_SIDE, Calibration
from carla_unet_ros.ground.camera_mounting import CameraMounting, MountingParameters
from carla_unet_ros.ground.ground_grid import (
    CameraPose,
    Extent,
    GroundGrid,
    class_weights,
)
from carla_unet_ros.labels import LabelSet
from carla_unet_ros.ros.camera_geometry import read_calibration
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.image_messages import label_ids
from carla_unet_ros.ros.lazy_output import LazyOutput, NotYetError
from carla_unet_ros.ros.main import run
from carla_unet_ros.ros.parameters import NodeParameter, declare, help_text
from carla_unet_ros.ros.time_restarts import TimeRestarts

_REACH = (0.0, 500.0)


class Parameters(MountingParameters):
    vehicle_frame = NodeParameter("ego_vehicle", "TF frame of the grid", constant=True)
    cell_size = NodeParameter(0.2, "metres a side of a cell", range=(0.01, 5.0), constant=True)
    ahead = NodeParameter(40.0, "metres the grid reaches ahead", range=_REACH, constant=True)
    behind = NodeParameter(0.0, "metres it reaches behind", range=_REACH, constant=True)
    left = NodeParameter(20.0, "metres it reaches to the left", range=_REACH, constant=True)
    right = NodeParameter(20.0, "metres it reaches to the right", range=_REACH, constant=True)
    drivable_classes = NodeParameter(
        ["Roads", "RoadLines"],
        "classes a vehicle may drive on, by their names in the legend",
        live=True,
    )
    blocked_share = NodeParameter(
        0.1,
        "a cell is occupied where more than this share of its pixels is not drivable; 0 lets "
        "every single pixel block",
        range=(0.0, 1.0),
        live=True,
    )
    ignored_bottom_rows = NodeParameter(
        0,
        "pixel rows at the bottom of the picture that show the vehicle's own bonnet",
        range=(0, LARGEST_SIDE),
        live=True,
    )


_NEWEST = QoSProfile(depth=1)
_NEWEST_OF_ANY = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class GroundGridNode(Node):
    def __init__(self) -> None:
        """ValueError where the parameters do not fit each other."""
        super().__init__("ground_grid")
        values = self._values = declare(self, Parameters)
        self.add_on_set_parameters_callback(self._check_classes)
        self._extent = Extent(
            values.cell_size, values.ahead, values.behind, values.left, values.right
        )
        self._mounting = CameraMounting(self, values, values.vehicle_frame)
        self._topics = CameraTopics(f"{values.camera}/image")
        self._legend: LabelSet | str | None = None
        self._relayed_info: CameraInfo | None = None
        self._own_info: CameraInfo | None = None
        self._place: tuple[Calibration, int, CameraPose] | None = None
        self._table: GroundGrid | str = ""
        self._restarts = TimeRestarts(self, self._start_over)
        self._output = LazyOutput(
            self,
            OccupancyGrid,
            self._topics.output("ground_grid"),
            self._subscribe,
            self._forget,
            self._describe_inputs,
        )

    def _check_classes(self, changes: list[Parameter]) -> SetParametersResult:
        """Refuses names of classes that the labels do not have, as far as these are known."""
        name = Parameters.drivable_classes.name
        named = [
            entry for change in changes if change.name == name for entry in change.value or []
        ]
        try:
            if isinstance(self._legend, LabelSet):
                self._legend.ids(named)
        except ValueError as problem:
            return SetParametersResult(successful=False, reason=f"{name}: {problem}")
        return SetParametersResult(successful=True)

    def _subscribe(self) -> list[Subscription]:
        self._mounting.listen()
        topics, subscribe = self._topics, self.create_subscription
        relayed = topics.output("camera_info")
        return [
            subscribe(String, topics.output("legend"), self._on_legend, _LATCHED),
            subscribe(CameraInfo, relayed, self._on_relayed_info, _NEWEST_OF_ANY),
            subscribe(CameraInfo, topics.camera_info, self._on_own_info, _NEWEST_OF_ANY),
            subscribe(Image, topics.output("labels"), self._on_labels, _NEWEST),
        ]

    def _forget(self) -> None:
        self._relayed_info = self._own_info = None
        self._mounting.stop()

    def _start_over(self) -> None:
        self._mounting.forget()

    def _on_legend(self, message: String) -> None:
        try:
            self._legend = LabelSet.from_json(message.data)
        except ValueError as problem:
            self._legend = f"the legend is unreadable: {problem}"

    def _on_relayed_info(self, message: CameraInfo) -> None:
        self._relayed_info = message

    def _on_own_info(self, message: CameraInfo) -> None:
        self._own_info = message

    def _on_labels(self, message: Image) -> None:
        self._restarts.look_at(message.header.stamp)
        self._output.publish(lambda: self._occupancy(message))

    def _describe_inputs(self) -> tuple[str, dict[str, str]]:
        return "", {"camera pose from": self._mounting.source or "unknown"}

    def _occupancy(self, message: Image) -> OccupancyGrid:
        """The grid of one label image. ValueError where there can be none; it says why."""
        labels = label_ids(message)
        if self._legend is None:
            legend = self._topics.output("legend")
            raise NotYetError(f"waiting for what the class ids mean, on {legend}")
        if isinstance(self._legend, str):
            raise ValueError(self._legend)
        drivable = self._legend.ids(self._values.drivable_classes)
        table = self._table_of(message.header.frame_id, labels.shape)
        cells = table.occupancy(labels, class_weights(drivable), self._values.blocked_share)
        return _message(cells, self._extent, message.header, self._values.vehicle_frame)

    def _table_of(self, camera_frame: str, shape: tuple[int, ...]) -> GroundGrid:
        """The table for the camera's calibration and pose; computed again when they change.

        shape: height and width of the labels
        """
        info, fov = self._newest_camera_info(), self._values.camera_fov
        calibration = read_calibration(info, fov, shape)
        ignored = self._values.ignored_bottom_rows
        pose = self._mounting.pose(camera_frame)
        known = self._place
        if known is None or known[:2] != (calibration, ignored) or not known[2].is_close(pose):
            self._place = calibration, ignored, pose
            try:
                self._table = GroundGrid(self._extent, calibration, pose, ignored)
            except ValueError as problem:
                self._table = str(problem)
            else:
                self.get_logger().info(
                    f"table computed for {calibration.width}x{calibration.height}, "
                    f"f = {calibration.fx:.1f} pixels, camera at {_metres(pose.position)}"
                )
        if isinstance(self._table, str):
            raise ValueError(self._table)
        return self._table

    def _newest_camera_info(self) -> CameraInfo:
        info = self._relayed_info or self._own_info
        if info is None:
            names = f"{self._topics.output('camera_info')} and {self._topics.camera_info}"
            raise NotYetError(f"waiting for the camera's geometry on {names}")
        return info


def _message(cells: Any, extent: Extent, header: Header, frame: str) -> OccupancyGrid:
    """Cells int8 [rows, columns] as a message in the vehicle's frame, with the labels' stamp."""
    message = OccupancyGrid(header=Header(stamp=header.stamp, frame_id=frame))
    message.info.map_load_time = header.stamp
    message.info.resolution = extent.cell_size
    message.info.height, message.info.width = cells.shape
    message.info.origin.position.x = -extent.behind
    message.info.origin.position.y = -extent.right
    message.info.origin.orientation.w = 1.0
    message.data.frombytes(cells.data.cast("B"))
    return message


def _metres(position: tuple[float, float, float]) -> str:
    return "({:.2f}, {:.2f}, {:.2f}) m".format(*position)


def main(argv: list[str] | None = None) -> int:
    return run(GroundGridNode, argv, about=help_text(__doc__, Parameters))


if __name__ == "__main__":
    sys.exit(main())
