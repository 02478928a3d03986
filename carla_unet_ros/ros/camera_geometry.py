# SPDX-License-Identifier: Apache-2.0
"""How a camera sees: the parameters of all nodes that compute places from its pixels, and what its
camera_info says."""

from sensor_msgs.msg import CameraInfo

from carla_unet_ros.camera_model import Calibration, intrinsics
from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable

# Longest focal length in widths of the picture: a longer one would see less than 3 degrees.
_MOST_WIDTHS = 20


class CameraParameters(ParameterTable):
    camera = NodeParameter(
        "/carla/ego_vehicle/rgb_front",
        "the camera's topics lie below this name",
        constant=True,
    )
    camera_fov = NodeParameter(
        0.0,
        "the camera's horizontal field of view in degrees, where camera_info has a wrong focal "
        "length, as from CARLA 0.9.16's own ROS 2 interface; 0 believes camera_info",
        range=(0.0, 179.0),
        live=True,
    )
    camera_axes = NodeParameter(
        "optical",
        "axes of the camera's TF frame: optical (z ahead, CARLA's bridge) or body (x ahead, "
        "CARLA's own ROS 2 interface)",
        choices=("optical", "body"),
        live=True,
    )


def read_calibration(info: CameraInfo, fov: float) -> Calibration:
    """The calibration in camera_info. ValueError where it is no pinhole camera.

    fov: degrees; replaces the focal length unless it is 0
    """
    fx, fy, cx, cy = info.k[0], info.k[4], info.k[2], info.k[5]
    if fov and info.width and info.height:
        fx = fy = intrinsics(info.width, info.height, fov).focal
    if not (info.height and all(0 < f < _MOST_WIDTHS * info.width for f in (fx, fy))):
        raise ValueError(
            f"camera_info says {info.width}x{info.height} pixels, fx = {fx:g}, fy = {fy:g}; "
            "expected a calibrated camera, or its field of view as camera_fov"
        )
    if any(info.d):
        raise ValueError(
            f"camera_info has the distortion {list(info.d)}; expected none: segment rectified "
            "images (image_proc), CARLA's are"
        )
    return Calibration(info.width, info.height, fx, fy, cx, cy)
