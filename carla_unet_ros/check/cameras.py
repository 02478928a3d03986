# SPDX-License-Identifier: Apache-2.0
"""Judges what the cameras send: images that can be read, calibration, tags of the truth."""

import math

from carla_unet_ros.camera_model import find_fov_of_wrong_focal
from carla_unet_ros.check.causes import Cause
from carla_unet_ros.check.findings import Finding, fine, problem, unseen, warning
from carla_unet_ros.check.observations import Calibration, Picture
from carla_unet_ros.check.truth_tags import TagReading

_LEAST_FOV, _MOST_FOV = 5.0, 170.0
_SQUARE = 0.01


def judge_picture(subject: str, picture: Picture | None) -> Finding:
    """Whether the newest image of a camera can be read."""
    if picture is None:
        return unseen(subject, "no image came")
    if picture.problem:
        return problem(subject, Cause.UNREADABLE, picture.problem)
    size = f"{picture.width}x{picture.height}"
    return fine(subject, f"{size} {picture.encoding}, frame {picture.frame_id!r}")


def judge_calibration(picture: Picture | None, calibration: Calibration | None) -> Finding:
    """Whether camera_info fits the frames, and a camera can have such a focal length."""
    if calibration is None:
        return unseen("calibration", "no camera_info came")
    width, height, fx, fy = calibration
    found = f"{width}x{height}, fx = {fx:.1f}, fy = {fy:.1f} pixels"
    if picture and (picture.width, picture.height) != (width, height):
        images = f"the frames are {picture.width}x{picture.height}"
        return problem("calibration", Cause.OTHER_SIZE, f"{found}; {images}")
    if wrong := find_fov_of_wrong_focal(fx / width) if width else None:
        why = f"it is what CARLA 0.9.16 computes by mistake for {wrong:g} degrees"
        return problem("calibration", Cause.NO_FOCAL, f"{found}: {why}")
    fov = _field_of_view(calibration)
    if not _LEAST_FOV <= fov <= _MOST_FOV or abs(fy / fx - 1) > _SQUARE:
        return problem("calibration", Cause.NO_FOCAL, found)
    return fine("calibration", f"{found}, a field of view of {fov:.1f} degrees")


def _field_of_view(calibration: Calibration) -> float:
    """Horizontal, in degrees; NaN where there is none."""
    width, _, fx, _ = calibration
    return math.degrees(2 * math.atan(width / (2 * fx))) if fx > 0 else math.nan


def judge_likeness(
    pictures: tuple[Picture | None, Picture | None],
    calibrations: tuple[Calibration | None, Calibration | None],
) -> Finding:
    """Whether frames and truth are of one size and field of view."""
    frame, truth = pictures
    if frame is None or truth is None:
        return unseen("likeness", f"no image of the {'truth' if frame else 'frames'} came")
    sizes = [f"{entry.width}x{entry.height}" for entry in (frame, truth)]
    if sizes[0] != sizes[1]:
        found = f"the frames are {sizes[0]}, the truth is {sizes[1]}"
        return problem("likeness", Cause.NOT_ALIKE, found)
    focal = [entry.fx for entry in calibrations if entry]
    if len(focal) == 2 and not math.isclose(*focal, rel_tol=1e-3):
        found = f"the frames' fx is {focal[0]:.1f}, the truth's {focal[1]:.1f} pixels"
        return problem("likeness", Cause.NOT_ALIKE, found)
    return fine("likeness", f"frames and truth are {sizes[0]}")


def judge_tags(reading: TagReading | None, tags: str) -> Finding:
    """Whether the truth makes sense in the tags of this CARLA version."""
    if reading is None:
        return unseen("tags", "no image of the truth could be read")
    held = "palette colours" if reading.held == "palette" else "raw tags"
    if reading.sensible:
        return fine("tags", f"{held} of CARLA {tags}; the ground is {reading.bottom}")
    fits = ", ".join(reading.versions) or "no version"
    if reading.unknown:
        found = f"{reading.unknown} is none of CARLA {tags}; it would fit {fits}"
        return problem("tags", Cause.UNKNOWN_TAGS, f"{held}: {found}")
    found = f"read as CARLA {tags}, the lower third is mostly {reading.bottom}"
    if not reading.versions:
        # An odd view, such as a camera that looks up, is no proof of a wrong version.
        return warning("tags", Cause.OTHER_TAGS, f"{held}: {found}")
    return problem("tags", Cause.OTHER_TAGS, f"{held}: {found}; it would fit {fits}")
