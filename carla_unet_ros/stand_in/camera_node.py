# SPDX-License-Identifier: Apache-2.0
"""Publishes what CARLA and its ROS bridge publish, without a simulator.

    out  /carla/<role_name>/<camera>/image                         bgra8 frames
         /carla/<role_name>/<camera>/camera_info                   plumb_bob without distortion
         /carla/<role_name>/semantic_segmentation_front/image      truth in bgra8, of equal stamp
         /carla/<role_name>/semantic_segmentation_front/camera_info
         /carla/<role_name>/depth_front/image                      of the drive alone, equal stamp
         /carla/<role_name>/depth_front/camera_info
         /carla/<role_name>/odometry                               of the drive alone, equal stamp
         /clock                                                    simulation time from 0

Topics, types, encodings and QoS are the same. The first camera is rgb_front; further ones (rgb_2,
rgb_3, ...) show the same frames. The truth is in palette colours, as the bridge sends it, or in
raw tags in the red channel, as CARLA's own ROS 2 interface sends it. Depth is in metres (32FC1) or
coded (bgra8), in the same way; it is drawn while somebody subscribes to it. Simulation time
advances by exactly 1 / rate with each frame, however long drawing takes.
"""

import sys
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.clock import Clock as NodeClock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from carla_unet_ros.camera_model import LARGEST_SIDE, intrinsics
from carla_unet_ros.errors import InputError, expand_home
from carla_unet_ros.labels import LabelSet, Uint8, carla_label_set
from carla_unet_ros.ros.camera_topics import MOST_CAMERAS, CameraTopics
from carla_unet_ros.ros.depth_images import to_coded_message, to_depth_message
from carla_unet_ros.ros.image_messages import to_image_message
from carla_unet_ros.ros.main import run
from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable, declare, help_text
from carla_unet_ros.stand_in.camera_source import CameraSource, DriveSource, FolderSource, View
from carla_unet_ros.stand_in.drive import Drive
from carla_unet_ros.stand_in.frame_pace import FramePace
from carla_unet_ros.stand_in.odometry import OdometrySensor
from carla_unet_ros.training.data.folders import find_layout


def _role(name: str) -> None:
    if not name.isidentifier() or not name.isascii():
        raise InputError(f"{name!r} is no part of a topic name; use letters, digits and _")


def _source(folder: str) -> None:
    if folder:
        find_layout(expand_home(folder))


class Parameters(ParameterTable):
    role_name = NodeParameter(
        "ego_vehicle", "the car's name in the topics", check=_role, constant=True
    )
    source = NodeParameter(
        "",
        "what the cameras show: '' for the procedural drive, or a folder of recorded pairs, "
        "rgb/NAME.jpg or .png with label/NAME.png, played in the order of names, again and again",
        check=_source,
        constant=True,
    )
    width = NodeParameter(
        800,
        "of the drive's frames in pixels; recorded ones keep theirs",
        range=(1, LARGEST_SIDE),
        constant=True,
    )
    height = NodeParameter(
        600,
        "of the drive's frames in pixels; recorded ones keep theirs",
        range=(1, LARGEST_SIDE),
        constant=True,
    )
    fov = NodeParameter(
        90.0,
        "horizontal field of view in degrees; for recorded frames, what they were taken with",
        range=(1.0, 179.0),
        constant=True,
    )
    rate = NodeParameter(
        20.0, "frames a second, in simulation time too", range=(0.1, 1000.0), constant=True
    )
    seed = NodeParameter(
        0,
        "which drive: seeds 0, 1, 2, ... are downtown, suburb, country in turn, in other weather "
        "after every three",
        range=(0, 2**31 - 1),
        constant=True,
    )
    cameras = NodeParameter(
        1,
        "how many cameras publish the frames, for tests under load",
        range=(1, MOST_CAMERAS),
        constant=True,
    )
    truth = NodeParameter(
        "palette",
        "what the semantic camera sends: palette colours, as CARLA's bridge does, or raw tags in "
        "the red channel, as CARLA's own ROS 2 interface does",
        choices=("palette", "raw"),
        constant=True,
    )
    depth = NodeParameter(
        "metres",
        "what the depth camera of the drive sends: metres (32FC1), as CARLA's bridge does, or "
        "coded colours (bgra8), as CARLA's own ROS 2 interface does",
        choices=("metres", "coded"),
        constant=True,
    )
    tags = NodeParameter(
        "0.9.13",
        "CARLA version whose tags and colours the semantic camera sends, such as 0.8.x or 0.9.16; "
        "the masks of a folder of pairs must hold the same",
        check=carla_label_set,
        constant=True,
    )


# The QoS of the bridge's sensors and clock: reliable, volatile, keep last 10.
BRIDGE_QOS = QoSProfile(depth=10)


class CameraNode(Node):
    """Publishes the cameras' topics and /clock."""

    def __init__(self) -> None:
        super().__init__("camera")
        self._values = declare(self, Parameters)
        tags = carla_label_set(self._values.tags)
        self._rate = self._values.rate
        self._fov = self._values.fov
        self._source = self._open_source(tags)
        self._truth_colours = truth_colours(tags, self._values.truth)
        names = ["rgb_front", *(f"rgb_{n}" for n in range(2, self._values.cameras + 1))]
        self._clock_publisher = self.create_publisher(Clock, "/clock", BRIDGE_QOS)
        self._cameras = [self._sensor(name) for name in names]
        self._truth = self._sensor("semantic_segmentation_front")
        self._depth = self._sensor("depth_front") if self._source.has_depth else None
        self._odometry = OdometrySensor(self, self._values.role_name, BRIDGE_QOS)
        self._depth_message = {"metres": to_depth_message, "coded": to_coded_message}[
            self._values.depth
        ]
        self._number = 0
        self._view: View | None = self._read_view()
        self.get_logger().info(f"showing {self._source.about} on {self._cameras[0].topic}")
        self._pace = FramePace(self._rate)
        # A clock of the machine: simulation time stands still until this node advances it.
        first = self._pace.wait(monotonic_ns()) / 1e9
        steady = NodeClock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(first, self._tick, clock=steady)

    def _open_source(self, tags: LabelSet) -> CameraSource:
        folder, seed = self._values.source, self._values.seed
        if folder:
            return FolderSource(expand_home(folder), tags)
        drive = Drive(self._values.width, self._values.height, self._fov, seed)
        return DriveSource(drive, tags, self._rate, f"the drive of seed {seed}")

    def _sensor(self, name: str) -> "_Sensor":
        return _Sensor(self, f"{self._values.role_name}/{name}")

    def _tick(self) -> None:
        """Publishes the view that is ready, then prepares the next one."""
        stamp = stamp_of(self._number, self._rate)
        self._clock_publisher.publish(Clock(clock=stamp))
        if self._view is not None:
            self._publish(stamp, self._view)
        self._number += 1
        self._view = self._next_view()
        # At least a nanosecond: with a period of 0 rcl calls the timer all the time.
        self._timer.timer_period_ns = max(self._pace.wait(monotonic_ns()), 1)
        self._timer.reset()

    def _publish(self, stamp: Time, view: View) -> None:
        if view.car:
            self._odometry.publish(stamp, view.car)
        for camera in self._cameras:
            camera.publish(stamp, view.frame, self._fov)
        self._truth.publish(stamp, painted(view.tags, self._truth_colours), self._fov)
        if self._depth and view.depth is not None:
            self._depth.publish(stamp, view.depth, self._fov, self._depth_message)

    def _next_view(self) -> View | None:
        """The next view; None, with a log line, if its files cannot be read."""
        try:
            return self._read_view()
        except InputError as problem:
            self.get_logger().warning(f"frame {self._number} is left out: {problem}")
            return None

    def _read_view(self) -> View:
        return self._source.view(self._number, depth=bool(self._depth and self._depth.wanted))


def _to_colours(image: Uint8, header: Header) -> Image:
    return to_image_message(image, "bgra8", header)


class _Sensor:
    """Publishes image and camera_info of one camera; `frame_id` is "<role_name>/<camera>"."""

    def __init__(self, node: Node, frame_id: str) -> None:
        topics = CameraTopics(f"/carla/{frame_id}/image")
        self.topic = topics.image
        self._frame_id = frame_id
        self._images = node.create_publisher(Image, topics.image, BRIDGE_QOS)
        self._infos = node.create_publisher(CameraInfo, topics.camera_info, BRIDGE_QOS)

    @property
    def wanted(self) -> bool:
        return self._images.get_subscription_count() > 0

    def publish(
        self,
        stamp: Time,
        image: Any,
        fov: float,
        to_message: Callable[[Any, Header], Image] = _to_colours,
    ) -> None:
        header = Header(stamp=stamp, frame_id=self._frame_id)
        height, width = image.shape[:2]
        self._infos.publish(camera_info(header, height, width, fov))
        self._images.publish(to_message(image, header))


def stamp_of(number: int, rate: float) -> Time:
    """Simulation time of frame `number`: number / rate, exact to the nanosecond."""
    seconds, nanoseconds = divmod(round(number * 10**9 / rate), 10**9)
    return Time(sec=seconds, nanosec=nanoseconds)


def camera_info(header: Header, height: int, width: int, fov: float) -> CameraInfo:
    """The camera_info of a CARLA camera, as the bridge sends it. `fov` is in degrees."""
    camera = intrinsics(width, height, fov)
    f, cx, cy = camera.focal, camera.cx, camera.cy
    return CameraInfo(
        header=header,
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def truth_colours(tags: LabelSet, truth: str) -> Uint8:
    """uint8 [256, 4]: the colour B, G, R, A that the semantic camera sends for each id.

    truth: "palette" for the colours of the classes, "raw" for the ids in the red channel
    """
    colours = np.full((256, 4), 255, np.uint8)
    if truth == "palette":
        colours[:, :3] = tags.palette_bgr
    else:
        colours[:, :2] = 0
        colours[:, 2] = np.arange(256)
    return colours


def painted(ids: Uint8, colours: Uint8) -> Uint8:
    """Ids uint8 [H, W] -> image uint8 [H, W, 4]. It looks up four bytes per pixel at once."""
    return np.take(colours.view(np.uint32)[:, 0], ids).view(np.uint8).reshape(*ids.shape, 4)


def main(argv: list[str] | None = None) -> int:
    return run(CameraNode, argv, about=help_text(__doc__, Parameters))


if __name__ == "__main__":
    sys.exit(main())
