# SPDX-License-Identifier: Apache-2.0
"""Judges TF: does it lead from the camera to the vehicle, and with which axes."""

from collections.abc import Mapping

import numpy as np

from carla_unet_ros.check.causes import Cause
from carla_unet_ros.check.findings import Finding, fine, problem, unseen, warning
from carla_unet_ros.check.observations import Transform
from carla_unet_ros.ground.ground_grid import CameraPose

_STEEP = 0.8
Quaternion = tuple[float, float, float, float]


def judge_mounting(
    transforms: Mapping[str, Transform], camera_frame: str, vehicle_frame: str, axes: str
) -> Finding:
    """The camera's way to the vehicle. axes: optical or body, as camera_axes of the grid."""
    if not camera_frame:
        return unseen("TF", "no frame came, so its frame_id is not known")
    chain = _chain(transforms, camera_frame, vehicle_frame)
    if chain is None:
        known = ", ".join(sorted(transforms)) or "no frame"
        found = f"{camera_frame!r} does not lead to {vehicle_frame!r}; TF knows {known}"
        return warning("TF", Cause.NO_TF, found)
    turn: Quaternion = (0.0, 0.0, 0.0, 1.0)
    for transform in chain:
        turn = _product(transform.turn, turn)
    pose = CameraPose.from_quaternion((0.0, 0.0, 0.0), turn, optical=axes == "optical")
    way = f"{camera_frame} in {vehicle_frame}"
    right, _, ahead = pose.rotation[2]
    # Optical axes read as body put the camera on its side; body axes read as optical raise it.
    if abs(right) > _STEEP or ahead > _STEEP:
        how = "looks into the sky" if ahead > _STEEP else "lies on its side"
        return problem("TF", Cause.OTHER_AXES, f"with {axes} axes {way} {how}")
    return fine("TF", f"{way}, {axes} axes")


def _chain(
    transforms: Mapping[str, Transform], child: str, ancestor: str
) -> list[Transform] | None:
    """The transforms from a frame up to its ancestor; None where there is no such way."""
    chain: list[Transform] = []
    while child != ancestor:
        if child not in transforms or len(chain) > len(transforms):
            return None
        chain.append(transforms[child])
        child = transforms[child].parent
    return chain


def _product(left: Quaternion, right: Quaternion) -> Quaternion:
    """The turn `right`, then the turn `left`."""
    a, b = np.array(left[:3]), np.array(right[:3])
    x, y, z = left[3] * b + right[3] * a + np.cross(a, b)
    return float(x), float(y), float(z), float(left[3] * right[3] - a @ b)
