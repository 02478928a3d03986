# SPDX-License-Identifier: Apache-2.0
"""How a camera sees: the parameters of all nodes that compute places from its pixels, and what its
camera_info says."""

from sensor_msgs.msg import CameraInfo

from carla_unet_ros.camera_model import (
    Calibration,
    find_fov_of_wrong_focal,
    intrinsics,
)
from carla_unet_ros.errors import InputError
from carla_unet_ros.ros.camera_topics import check_topic
from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable

# Focal length in widths of the picture: a shorter one would see more than 157 degrees, a longer
# one less than 3.
_LEAST_WIDTHS, _MOST_WIDTHS = 0.1, 20


class GeometryParameters(ParameterTable):
    camera_fov = NodeParameter(
        0.0,
        "the camera's horizontal field of view in degrees, where camera_info is wrong, as from "
        "CARLA 0.9.16's own ROS 2 interface: focal length and principal point are computed from "
        "it; 0 believes camera_info",
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


class CameraParameters(GeometryParameters):
    camera = NodeParameter(
        "/carla/ego_vehicle/rgb_front",
        "the camera's topics lie below this name",
        check=check_topic,
        constant=True,
    )


def read_calibration(info: CameraInfo, fov: float, shape: tuple[int, ...]) -> Calibration:
    """The calibration in camera_info. ValueError where it is no pinhole camera of the picture.

    fov:   degrees; computes focal length and principal point unless it is 0
    shape: height and width of the picture
    """
    if (info.height, info.width) != shape:
        raise InputError(
            f"camera_info says {info.width}x{info.height} pixels, the picture is "
            f"{shape[1]}x{shape[0]}; expected the camera_info of this picture"
        )
    _check_distortion(info, known=bool(fov))
    if fov:
        camera = intrinsics(info.width, info.height, fov)
        focal, cx, cy = camera.focal, camera.cx, camera.cy
        return Calibration(info.width, info.height, focal, focal, cx, cy)
    _check_matrix(info)
    fx, cx, fy, cy = (float(info.k[place]) for place in (0, 2, 4, 5))
    return Calibration(info.width, info.height, fx, fy, cx, cy)


def _check_distortion(info: CameraInfo, known: bool) -> None:
    """known: whether the field of view is known, so that an empty camera_info will do."""
    model = info.distortion_model
    if model != "plumb_bob" and (model or not known):
        raise InputError(
            f"camera_info has the distortion model {model[:40]!r}; expected plumb_bob with zeros: "
            "segment rectified images (image_proc), CARLA's are"
        )
    if any(info.d):
        raise InputError(
            f"camera_info has the distortion {[float(value) for value in info.d[:8]]}; expected "
            "none: segment rectified images (image_proc), CARLA's are"
        )


def _check_matrix(info: CameraInfo) -> None:
    width, height = info.width, info.height
    fx, skew, cx, zero, fy, cy, *last = (float(value) for value in info.k)
    found = f"camera_info says {width}x{height} pixels, fx = {fx:g}, fy = {fy:g}"
    if (fov := find_fov_of_wrong_focal(fx / width)) is not None:
        right = intrinsics(width, height, fov).focal
        raise InputError(
            f"{found}: CARLA 0.9.16's own ROS 2 interface computes this wrong focal length for a "
            f"field of view of {fov:g} degrees; expected fx = {right:.1f}: set camera_fov to "
            f"{fov:g}"
        )
    if not all(_LEAST_WIDTHS * width <= f <= _MOST_WIDTHS * width for f in (fx, fy)):
        raise InputError(
            f"{found}; expected a calibrated camera, or its field of view as camera_fov"
        )
    if not all(side / 4 <= c <= 3 * side / 4 for c, side in ((cx, width), (cy, height))):
        raise InputError(
            f"camera_info says {width}x{height} pixels, cx = {cx:g}, cy = {cy:g}; expected a "
            "principal point near the middle of the picture, or the field of view as camera_fov"
        )
    if (skew, zero, *last) != (0.0, 0.0, 0.0, 0.0, 1.0):
        raise InputError(
            f"camera_info has the camera matrix {[float(value) for value in info.k]}; expected "
            "fx, 0, cx, 0, fy, cy, 0, 0, 1, or the field of view as camera_fov"
        )
