# SPDX-License-Identifier: Apache-2.0
"""Which pixels see which cells of the ground: for the camera that a node has now."""

from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from carla_unet_ros.camera_model import LARGEST_SIDE, Calibration
from carla_unet_ros.errors import InputError
from carla_unet_ros.ground.camera_mounting import CameraMounting, MountingParameters
from carla_unet_ros.ground.class_costs import DRIVABLE
from carla_unet_ros.ground.ground_grid import CameraPose, Extent, GroundGrid
from carla_unet_ros.ground.transforms import Transforms
from carla_unet_ros.ros.camera_geometry import read_calibration
from carla_unet_ros.ros.parameters import NodeParameter

_REACH = (0.0, 500.0)


class ViewParameters(MountingParameters):
    vehicle_frame = NodeParameter("ego_vehicle", "TF frame of the grid", constant=True)
    cell_size = NodeParameter(0.2, "metres a side of a cell", range=(0.01, 5.0), constant=True)
    ahead = NodeParameter(40.0, "metres the grid reaches ahead", range=_REACH, constant=True)
    behind = NodeParameter(0.0, "metres it reaches behind", range=_REACH, constant=True)
    left = NodeParameter(20.0, "metres it reaches to the left", range=_REACH, constant=True)
    right = NodeParameter(20.0, "metres it reaches to the right", range=_REACH, constant=True)
    drivable_classes = NodeParameter(
        DRIVABLE,
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


class GroundView:
    """Keeps the table of pixels and cells, and computes it again when the camera changes."""

    def __init__(
        self,
        node: Node,
        parameters: ViewParameters,
        transforms: Transforms,
        changed: Callable[[], None],
    ) -> None:
        """changed: called when the camera has another calibration or pose

        ValueError where the parameters do not fit each other.
        """
        self._node, self._parameters, self._changed = node, parameters, changed
        now = parameters
        self.extent = Extent(now.cell_size, now.ahead, now.behind, now.left, now.right)
        self._mounting = CameraMounting(node, parameters, parameters.vehicle_frame, transforms)
        self._place: tuple[Calibration, int, CameraPose] | None = None
        self._table: GroundGrid | str = ""

    @property
    def pose_source(self) -> str:
        return self._mounting.source or "unknown"

    def table(self, info: CameraInfo, header: Header, shape: tuple[int, ...]) -> GroundGrid:
        """The table for this camera. ValueError where there can be none; it says why.

        header: of the labels
        shape:  height and width of the labels
        """
        calibration = read_calibration(info, self._parameters.camera_fov, shape)
        ignored = self._parameters.ignored_bottom_rows
        pose = self._mounting.pose(header.frame_id, header.stamp)
        known = self._place
        if known is None or known[:2] != (calibration, ignored) or not known[2].is_close(pose):
            self._place = calibration, ignored, pose
            self._compute(calibration, ignored, pose)
            self._changed()
        if isinstance(self._table, str):
            raise InputError(self._table)
        return self._table

    def _compute(self, calibration: Calibration, ignored: int, pose: CameraPose) -> None:
        try:
            self._table = GroundGrid(self.extent, calibration, pose, ignored)
        except ValueError as problem:
            self._table = str(problem)
        else:
            self._node.get_logger().info(
                f"table computed for {calibration.width}x{calibration.height}, "
                f"f = {calibration.fx:.1f} pixels, camera at {_metres(pose.position)}"
            )


def _metres(position: tuple[float, float, float]) -> str:
    return "({:.2f}, {:.2f}, {:.2f}) m".format(*position)
