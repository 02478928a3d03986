# SPDX-License-Identifier: Apache-2.0
"""The pose of a camera in its vehicle: from TF where TF knows it, else from parameters.

CARLA's bridge sends the camera's transform with optical axes (z ahead). CARLA's own
ROS 2 interface sends it with the vehicle's axes (x ahead). The parameter `camera_axes` says which.
"""

from collections.abc import Callable

from builtin_interfaces.msg import Time
from rclpy.node import Node

from carla_unet_ros.errors import InputError
from carla_unet_ros.ground.ground_grid import CameraPose
from carla_unet_ros.ground.transforms import NoTransformError, Transforms, to_seconds
from carla_unet_ros.ros.camera_geometry import GeometryParameters
from carla_unet_ros.ros.lazy_output import NotYetError
from carla_unet_ros.ros.parameters import NodeParameter

_ANGLE = (-180.0, 180.0)
_METRES = (-100.0, 100.0)
_UPRIGHT = 0.8
_LARGEST_LEAD = 1.0


class MountingParameters(GeometryParameters):
    pose_source = NodeParameter(
        "auto",
        "where the camera's pose comes from: tf, the parameters camera_*, or auto: tf where "
        "tf2_ros is installed and knows the camera's frame, else the parameters",
        choices=("auto", "tf", "parameters"),
        constant=True,
    )
    camera_x = NodeParameter(2.0, "metres ahead of the vehicle's origin", range=_METRES, live=True)
    camera_y = NodeParameter(
        0.0, "metres to the left of the vehicle's origin", range=_METRES, live=True
    )
    camera_height = NodeParameter(2.0, "metres above the ground", range=(0.01, 100.0), live=True)
    camera_roll = NodeParameter(
        0.0, "degrees, positive tilts to the right", range=_ANGLE, live=True
    )
    camera_pitch = NodeParameter(0.0, "degrees, positive looks down", range=_ANGLE, live=True)
    camera_yaw = NodeParameter(0.0, "degrees, positive looks to the left", range=_ANGLE, live=True)


class NoPoseError(ValueError):
    """The camera's pose is not known; the text says why."""


class CameraMounting:
    """Gets the pose from TF or from the node's parameters, and logs once which of them it was.

    vehicle_frame: the TF frame in which the pose is given
    """

    def __init__(
        self,
        node: Node,
        parameters: MountingParameters,
        vehicle_frame: str,
        transforms: Transforms,
    ) -> None:
        """ValueError where pose_source is tf and tf2_ros is not installed."""
        self._node = node
        self._parameters = parameters
        self._vehicle_frame = vehicle_frame
        self._transforms = transforms
        self.source = ""
        if parameters.pose_source == "tf" and transforms.missing:
            raise InputError(
                f"pose_source is 'tf', but {transforms.missing}; install it (apt: "
                "ros-$ROS_DISTRO-tf2-ros-py), or set pose_source to 'parameters' and camera_*"
            )

    def pose(self, camera_frame: str, stamp: Time) -> CameraPose:
        """The camera's pose, for labels of this time.

        NoPoseError where TF must have it and has not, or is wrong. NotYetError while TF may
        still come.
        """
        choice = self._parameters.pose_source
        if choice == "parameters":
            return self._from_parameters("pose_source is 'parameters'")
        try:
            # The newest transform will do: the camera does not move in its vehicle.
            transform = self._transforms.lookup(self._vehicle_frame, camera_frame)
        except NoTransformError as reason:
            if choice == "tf":
                raise NoPoseError(f"{reason}; see vehicle_frame, or set pose_source") from reason
            if self._transforms.may_still_come:
                raise NotYetError(f"waiting for TF: it has no {camera_frame} yet") from reason
            return self._from_parameters(str(reason))
        newest = to_seconds(transform.header.stamp)
        if newest > to_seconds(stamp) + _LARGEST_LEAD and self._transforms.may_still_come:
            self._transforms.drop()
            raise NotYetError("waiting for TF: what it has is older than the restart of time")
        place, turn = transform.transform.translation, transform.transform.rotation
        axes = self._parameters.camera_axes
        pose = CameraPose.from_quaternion(
            (place.x, place.y, place.z),
            (turn.x, turn.y, turn.z, turn.w),
            optical=axes == "optical",
        )
        _check_axes(pose, axes, camera_frame)
        self._tell("TF", lambda: f"{camera_frame} in {self._vehicle_frame}, {axes} axes")
        return pose

    def _from_parameters(self, reason: str) -> CameraPose:
        self._tell("parameters", lambda: reason)
        now = self._parameters
        position = now.camera_x, now.camera_y, now.camera_height
        return CameraPose.from_angles(*position, now.camera_roll, now.camera_pitch, now.camera_yaw)

    def _tell(self, source: str, why: Callable[[], str]) -> None:
        if source != self.source:
            self.source = source
            self._node.get_logger().info(f"the camera's pose comes from {source}: {why()}")


def _check_axes(pose: CameraPose, axes: str, camera_frame: str) -> None:
    """NoPoseError for what a level camera looks like whose axes are taken for the other ones."""
    right, _, ahead = pose.rotation[2]
    if abs(right) > _UPRIGHT:
        looks = "lies on its side"
    elif ahead > _UPRIGHT:
        looks = "looks up into the sky"
    else:
        return
    other, whose = {
        "optical": ("body", "CARLA's own ROS 2 interface"),
        "body": ("optical", "CARLA's bridge"),
    }[axes]
    raise NoPoseError(
        f"with {axes} axes the camera of {camera_frame} {looks}: set camera_axes to {other}, the "
        f"axes that {whose} sends"
    )
