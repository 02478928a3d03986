# SPDX-License-Identifier: Apache-2.0
"""Drives a planner along the drawn street, until it leaves the road or touches somebody.

Every step draws what the camera sees from where the car is, makes labels and a grid of it, asks
the planner, and moves the car. There is no clock and no middleware, so a drive is repeated to the
last digit. The truth of the drawing, in metres, says where the road ends and where the others are.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid

from carla_unet_ros.camera_model import Calibration, intrinsics
from carla_unet_ros.closed_loop.car import LENGTH, WIDTH, Car, corners, overlap
from carla_unet_ros.closed_loop.grid_of_frames import GridOfFrames
from carla_unet_ros.ground.ground_grid import CameraPose
from carla_unet_ros.ground.ground_memory import Place
from carla_unet_ros.labels import carla_13
from carla_unet_ros.segmenter import Segmentation
from carla_unet_ros.stand_in.car_motion import CAMERA_AHEAD
from carla_unet_ros.stand_in.drive import Drive, Footprint, Lead, Pose, Scene

STEP = 0.1
"""Seconds from frame to frame; the planner's grid is as old when the next one comes."""

_FRONT = 1.0  # m of the car that count as its front
_MIDDLE = 0.0, -CAMERA_AHEAD
_STILL, _LONG = 0.1, 20.0  # m/s and s: slower for longer counts as standing
_LEAD_START, _LEAD_SPEED, _LEAD_PERIOD = 20.0, 4.0, 15.0  # m, m/s on average, s

Look = Callable[[Scene], Segmentation]
Steer = Callable[[OccupancyGrid, float], Twist]


class Moment(NamedTuple):
    """One step of a drive.

    metres:      driven along the street so far
    grid, twist: what the planner got, and what it answered
    others:      cars and people around, after this step
    end:         why the drive ends here; "" where it goes on
    """

    time: float
    metres: float
    pose: Pose
    speed: float
    scene: Scene
    grid: OccupancyGrid
    twist: Twist
    others: list[Footprint]
    end: str


def true_labels(scene: Scene) -> Segmentation:
    """The labels of the drawing itself, with full confidence."""
    return Segmentation(scene.labels, np.full_like(scene.labels, 255))


def stop_and_go(time: float) -> float:
    """Metres ahead of the start: a car that drives 4 m/s on average and stops every 15 s."""
    rate = 2 * math.pi / _LEAD_PERIOD
    return _LEAD_START + _LEAD_SPEED * (time - math.sin(rate * time) / rate)


class StreetDrive:
    """A planner in the car of one street.

    drive: of a camera of `size` pixels and 90 degrees
    look:  a frame -> its labels and their confidence
    steer: a grid and its age in seconds -> throttle and steering, for carla_twist_to_control
    lead:  seconds -> how far ahead of the start the car ahead is, in metres
    """

    def __init__(
        self,
        drive: Drive,
        look: Look,
        steer: Steer,
        size: tuple[int, int],
        lead: Callable[[float], float] = stop_and_go,
    ) -> None:
        camera = intrinsics(*size, 90.0)
        calibration = Calibration(*size, camera.focal, camera.focal, camera.cx, camera.cy)
        mounting = CameraPose.from_angles(CAMERA_AHEAD, 0.0, drive.camera_height)
        self._grid = GridOfFrames(calibration, mounting, carla_13(), drive.bonnet_rows)
        self._drive, self._look, self._steer, self._lead = drive, look, steer, lead

    def moments(self, longest: float) -> Iterator[Moment]:
        """Step by step, to the end of the drive or `longest` metres along the street."""
        start = pose = self._find_start()
        car, still, end, number = Car(Place(0.0, 0.0, 0.0)), 0.0, "", 0
        while not end:
            time, later = number * STEP, (number + 1) * STEP
            scene = self._drive.look(pose, time, Lead(start.s + self._lead(time)))
            grid = self._grid.add(self._look(scene), car.place, time)
            twist = self._steer(grid, STEP)
            moved = car.after(STEP, twist.linear.x, twist.angular.z)
            after = self._follow(pose, car.place, moved.place)
            others = self._drive.footprints(after.s, later, Lead(start.s + self._lead(later)))
            still = still + STEP if moved.speed < _STILL else 0.0
            end = self._find_end(after, others)
            if not end and after.s - start.s >= longest:
                end = "drove all the way"
            elif not end and still > _LONG:
                end = "stood still"
            metres = after.s - start.s
            yield Moment(time, metres, pose, car.speed, scene, grid, twist, others, end)
            car, pose, number = moved, after, number + 1

    def _find_start(self) -> Pose:
        """The first place in the lane with nobody close before the car or beside it."""
        for s in np.arange(0.0, 100.0):
            pose = Pose(float(s), self._drive.lane)
            lead = Lead(pose.s + self._lead(0.0))
            if not self._touches(pose, self._drive.footprints(pose.s, 0.0, lead), 0.5, 6.0):
                return pose
        raise ValueError("there is no free place in the lane to start from")

    def _follow(self, pose: Pose, before: Place, after: Place) -> Pose:
        """Where on the street the camera is, after the car has moved from place to place."""
        turn = after.yaw - before.yaw
        x, y = after.x - before.x, after.y - before.y
        cos, sin = math.cos(before.yaw), math.sin(before.yaw)
        ahead = cos * x + sin * y + CAMERA_AHEAD * (math.cos(turn) - 1)
        left = cos * y - sin * x + CAMERA_AHEAD * math.sin(turn)
        s, d, street = self._drive.view(pose).find(-left, ahead)
        return Pose(s, d, -turn - street)

    def _find_end(self, pose: Pose, others: list[Footprint]) -> str:
        """Why the drive ends at this pose; "" where it goes on."""
        if touched := self._touches(pose, others):
            return f"touched a {touched}"
        view = self._drive.view(pose)
        places = [view.find(x, z)[:2] for x, z in corners(*_MIDDLE, 0.0, WIDTH, LENGTH).tolist()]
        on_road = all(self._drive.is_road(*place) for place in places)
        turned_off = abs(view.find(*_MIDDLE)[1]) > self._drive.half_width
        return "" if on_road and not turned_off else "left the road"

    def _touches(
        self, pose: Pose, others: list[Footprint], beside: float = 0.0, before: float = 0.0
    ) -> str:
        """What the car touches, with more metres beside it and before it; "" for nothing."""
        x, z = _MIDDLE
        own = corners(x, z + before / 2, 0.0, WIDTH + 2 * beside, LENGTH + before)
        front = corners(x, z + (LENGTH - _FRONT) / 2, 0.0, WIDTH, _FRONT)
        view = self._drive.view(pose)
        for one in others:
            spot = view.spot(one.s, one.d)
            its = corners(spot.x, spot.z, spot.turn + one.turn, one.width, one.length)
            # People here look at nothing: who walks into the side of the car does not count.
            if overlap(front if one.name == "person" else own, its):
                return one.name
        return ""
