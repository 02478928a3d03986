# SPDX-License-Identifier: Apache-2.0
"""Publishes what the camera sees as points with labels, for costmaps, RViz and filters of clouds.

    in    <camera>/segmentation/labels          sensor_msgs/Image mono8, class ids
          <camera>/segmentation/confidence      sensor_msgs/Image mono8
          <camera>/segmentation/legend          std_msgs/String, latched: which id is which class
          <camera>/segmentation/camera_info     sensor_msgs/CameraInfo
          <camera>/camera_info                  sensor_msgs/CameraInfo, where the other one is late
          <depth camera>/image                  32FC1 in metres (CARLA's bridge), or bgra8 in
                                                CARLA's code (its own ROS 2 interface)
          <depth camera>/camera_info            sensor_msgs/CameraInfo
    out   <camera>/segmentation/semantic_cloud  sensor_msgs/PointCloud2, header of the labels
          /diagnostics                          once a second

The depth camera must have the size, field of view and pose of the camera, and send in the same
tick: images with equal stamps make a cloud. It has the rows and columns of the images, so point
(u, v) belongs to pixel (u, v). Its fields are x, y, z (float32, in the axes of the camera's TF
frame; NaN where there is no point), label, confidence (uint8) and rgb, the colour of the class.
QoS is reliable, keep last 1 and volatile. While nobody subscribes to the cloud, the node
subscribes to nothing and computes nothing.
"""

import itertools
import math
import sys
from functools import partial

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header, String

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.cloud.semantic_cloud import (
    ALL,
    FIELDS,
    POINT,
    ClassTable,
    SemanticCloud,
    class_table,
)
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_geometry import CameraParameters, read_calibration
from carla_unet_ros.ros.camera_topics import CameraTopics, check_topic
from carla_unet_ros.ros.depth_images import to_depth
from carla_unet_ros.ros.image_messages import label_ids
from carla_unet_ros.ros.lazy_output import LazyOutput, NotYetError
from carla_unet_ros.ros.main import run
from carla_unet_ros.ros.pace import Pace
from carla_unet_ros.ros.parameters import NodeParameter, declare, help_text
from carla_unet_ros.ros.stamp_matcher import StampMatcher


class Parameters(CameraParameters):
    depth_topic = NodeParameter(
        "/carla/ego_vehicle/depth_front/image",
        "images of a depth camera of the same size, field of view and pose as the camera",
        check=check_topic,
        constant=True,
    )
    classes = NodeParameter(
        [ALL],
        f"classes that give points, by their names in the legend; {ALL} keeps every class",
        live=True,
    )
    stride = NodeParameter(
        1,
        "only every so many-th pixel of a row and of a column gives a point; 1 keeps the size of "
        "the images, which Nav2's semantic_segmentation_layer needs",
        range=(1, 64),
        live=True,
    )
    largest_range = NodeParameter(
        100.0,
        "metres ahead of the camera; what is farther gives no point",
        range=(0.1, 1000.0),
        live=True,
    )


_STREAMS = ("labels", "confidence", "depth")
_QUEUE = 5
_NEWEST_OF_ANY = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_PATIENCE_SECONDS = 3.0
_SAME = partial(math.isclose, rel_tol=1e-3)


class SemanticCloudNode(Node):
    def __init__(self) -> None:
        super().__init__("semantic_cloud")
        self._values = declare(self, Parameters)
        self._topics = CameraTopics(f"{self._values.camera}/image")
        self._depth_topics = CameraTopics(self._values.depth_topic)
        self._cloud: SemanticCloud | None = None
        self._geometry: tuple[Calibration, str, int] | None = None
        self._pace = Pace(_PATIENCE_SECONDS)
        self._forget()
        self._output = LazyOutput(
            self,
            PointCloud2,
            self._topics.output("semantic_cloud"),
            self._subscribe,
            self._forget,
            self._describe_inputs,
        )

    def _subscribe(self) -> list[Subscription]:
        topics, subscribe = self._topics, self.create_subscription
        images = {
            "labels": topics.output("labels"),
            "confidence": topics.output("confidence"),
            "depth": self._values.depth_topic,
        }
        calibrations = {
            "camera": (topics.output("camera_info"), topics.camera_info),
            "depth camera": (self._depth_topics.camera_info,),
        }
        self._pace.start_over()
        return [
            subscribe(String, topics.output("legend"), self._on_legend, _LATCHED),
            *(
                subscribe(CameraInfo, topic, partial(self._on_info, name), _NEWEST_OF_ANY)
                for name, several in calibrations.items()
                for topic in several
            ),
            *(
                subscribe(Image, topic, partial(self._on_image, stream), _QUEUE)
                for stream, topic in images.items()
            ),
        ]

    def _forget(self) -> None:
        self._legend: Legend | str | None = None
        self._infos: dict[str, CameraInfo] = {}
        self._matcher = StampMatcher(*_STREAMS)

    def _on_legend(self, message: String) -> None:
        try:
            self._legend = Legend.from_json(message.data)
        except ValueError as problem:
            self._legend = f"the legend is unreadable: {problem}"

    def _on_info(self, camera: str, message: CameraInfo) -> None:
        self._infos[camera] = message

    def _on_image(self, stream: str, message: Image) -> None:
        stamp = message.header.stamp
        matched = self._matcher.add(stream, stamp.sec * 10**9 + stamp.nanosec, message)
        if matched is not None:
            self._pace.came()
            self._output.publish(lambda: self._make(**matched))

    def _make(self, labels: Image, confidence: Image, depth: Image) -> PointCloud2:
        """The cloud of three images. ValueError where there can be none; it says why."""
        values = self._values
        ids, metres = label_ids(labels), to_depth(depth)
        if ids.shape != metres.shape:
            raise InputError(
                f"the depth image is {depth.width}x{depth.height}, the labels are "
                f"{labels.width}x{labels.height}; give both cameras one size, field of view and "
                "pose, as in config/carla_objects.json"
            )
        table = self._table()
        cloud = self._cloud_of(self._calibration(metres.shape), values.camera_axes, values.stride)
        cloud.fill(ids, label_ids(confidence), metres, table, values.largest_range)
        return to_message(cloud, labels.header)

    def _table(self) -> ClassTable:
        if self._legend is None:
            legend = self._topics.output("legend")
            raise NotYetError(f"waiting for what the class ids mean, on {legend}")
        if isinstance(self._legend, str):
            raise InputError(self._legend)
        return class_table(self._legend, self._values.classes)

    def _calibration(self, shape: tuple[int, ...]) -> Calibration:
        """The depth camera's. ValueError where it sees otherwise than the camera."""
        topics = {
            "camera": self._topics.camera_info,
            "depth camera": self._depth_topics.camera_info,
        }
        for name, topic in topics.items():
            if name not in self._infos:
                raise NotYetError(f"waiting for the geometry of the {name} on {topic}")
        camera, depth = self._infos["camera"].k, self._infos["depth camera"].k
        if not all(map(_SAME, camera, depth)):
            raise InputError(
                f"the depth camera sees with fx = {depth[0]:.1f}, the camera with fx = "
                f"{camera[0]:.1f} pixels; give both one size and field of view"
            )
        return read_calibration(self._infos["depth camera"], self._values.camera_fov, shape)

    def _cloud_of(self, calibration: Calibration, axes: str, stride: int) -> SemanticCloud:
        """The cloud for this geometry; its rays are computed again when it changes."""
        geometry = calibration, axes, stride
        if self._cloud is None or geometry != self._geometry:
            self._geometry = geometry
            self._cloud = SemanticCloud(calibration, axes == "optical", stride)
            self.get_logger().info(
                f"clouds of {self._cloud.columns}x{self._cloud.rows} points, f = "
                f"{calibration.fx:.1f} pixels, {axes} axes"
            )
        return self._cloud

    def _describe_inputs(self) -> tuple[str, dict[str, str]]:
        unmatched = self._matcher.unmatched
        return self._silence(), {
            f"{name} without partner": str(unmatched[name]) for name in _STREAMS
        }

    def _silence(self) -> str:
        """Why no images have matched for some time; "" where some have."""
        if not self._pace.late:
            return ""
        received, labels = self._matcher.received, self._topics.output("labels")
        if not received["labels"]:
            return f"no labels on {labels}; is segmentation_node active?"
        if not received["depth"]:
            return f"no depth images on {self._values.depth_topic}; is the depth camera spawned?"
        return f"{labels} and {self._values.depth_topic} have no stamp in common, or one stopped"


def _fields() -> list[PointField]:
    # PCL, RViz and depth_image_proc take the four bytes of a colour for a float.
    types = {"<f4": PointField.FLOAT32, "u1": PointField.UINT8, "<u4": PointField.FLOAT32}
    sizes = [np.dtype(kind).itemsize for kind in FIELDS.values()]
    offsets = itertools.accumulate(sizes, initial=0)
    return [
        PointField(name=name, offset=offset, datatype=types[kind], count=1)
        for (name, kind), offset in zip(FIELDS.items(), offsets, strict=False)
    ]


_FIELDS = _fields()


def to_message(cloud: SemanticCloud, header: Header) -> PointCloud2:
    """The cloud as a message that shares its bytes: publish it before the next `fill`."""
    return PointCloud2(
        header=header,
        height=cloud.rows,
        width=cloud.columns,
        fields=_FIELDS,
        is_bigendian=False,
        point_step=POINT.itemsize,
        row_step=POINT.itemsize * cloud.columns,
        data=cloud.data,
        is_dense=False,
    )


def main(argv: list[str] | None = None) -> int:
    return run(SemanticCloudNode, argv, about=help_text(__doc__, Parameters))


if __name__ == "__main__":
    sys.exit(main())
