# SPDX-License-Identifier: Apache-2.0
"""Publishes the ground around the vehicle as an occupancy grid for planners.

    in    <camera>/segmentation/labels          sensor_msgs/Image mono8, class ids
          <camera>/segmentation/confidence      sensor_msgs/Image mono8, where somebody sends it
          <camera>/segmentation/legend          std_msgs/String, latched: which id is which class
          <camera>/segmentation/camera_info     sensor_msgs/CameraInfo
          <camera>/camera_info                  sensor_msgs/CameraInfo, where the other one is late
          /tf, /tf_static                       the camera's pose and the vehicle's motion, where
                                                tf2_ros is installed
          /carla/ego_vehicle/odometry           nav_msgs/Odometry, where TF has no fixed_frame
    out   <camera>/segmentation/ground_grid     nav_msgs/OccupancyGrid, stamp of the labels
          <camera>/segmentation/ground_classes  sensor_msgs/Image mono8: the class of each cell
          /diagnostics                          once a second

The ground is assumed to be flat (ground_grid.py). Where the vehicle's motion is known, the node
remembers the ground for `memory` seconds (ground_memory.py). A cell is then the cost of its class,
0 to 100, nearer to 50 the less certain it is, and -1 where it is unknown. Without memory, a cell
is 0 where this one frame sees drivable classes, 100 where it sees other classes, and -1 where it
sees nothing. Both outputs have the same rows and columns. QoS is reliable, keep last 1 and
volatile: unlike a map, an old grid is of no use to a subscriber that joins late. While nobody
subscribes, the node subscribes to nothing and computes nothing.
"""

import sys
from functools import partial
from typing import Any

from nav_msgs.msg import OccupancyGrid
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from carla_unet_ros.errors import InputError
from carla_unet_ros.ground.cell_evidence import look_at_cells
from carla_unet_ros.ground.class_costs import DEFAULT_COSTS, cost_table, parse_costs
from carla_unet_ros.ground.connected_ground import keep_connected
from carla_unet_ros.ground.grid_message import to_grid_message
from carla_unet_ros.ground.ground_grid import GroundGrid, class_weights
from carla_unet_ros.ground.ground_memory import GroundMemory, Place
from carla_unet_ros.ground.ground_view import GroundView, ViewParameters
from carla_unet_ros.ground.transforms import Transforms, to_seconds
from carla_unet_ros.ground.vehicle_motion import MotionParameters, VehicleMotion
from carla_unet_ros.labels import LabelSet, Uint8
from carla_unet_ros.ros.camera_geometry import CameraParameters
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.image_messages import label_ids, to_image_message
from carla_unet_ros.ros.lazy_output import LazyOutput, NotYetError
from carla_unet_ros.ros.main import run
from carla_unet_ros.ros.parameters import NodeParameter, declare, help_text
from carla_unet_ros.ros.stamp_matcher import StampMatcher
from carla_unet_ros.ros.time_restarts import TimeRestarts


class Parameters(ViewParameters, CameraParameters, MotionParameters):
    memory = NodeParameter(
        3.0,
        "seconds after which ground that is no longer seen is unknown again; 0 makes each grid of "
        "one frame alone, as it is made where the vehicle's motion is unknown",
        range=(0.0, 60.0),
        constant=True,
    )
    class_costs = NodeParameter(
        DEFAULT_COSTS,
        "cost of a remembered cell by its class, 0 to 100; drivable_classes cost nothing",
        check=parse_costs,
        live=True,
    )
    connected_only = NodeParameter(
        True,
        "remembered free ground counts as free only where a way leads to it from the vehicle",
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
        self._transforms = Transforms(self)
        self._view = GroundView(
            self, values, self._transforms, partial(self._clear, "the camera has changed")
        )
        self._motion = VehicleMotion(self, self._transforms, values, values.vehicle_frame)
        self._memory = GroundMemory(self._view.extent, values.memory) if values.memory else None
        self._topics = CameraTopics(f"{values.camera}/image")
        self._legend: LabelSet | str | None = None
        self._confidence: Subscription | None = None
        self._forget_inputs()
        self._restarts = TimeRestarts(self, self._start_over)
        self._output = LazyOutput(
            self,
            OccupancyGrid,
            self._topics.output("ground_grid"),
            self._subscribe,
            self._forget,
            self._describe_inputs,
        )
        self._classes = self._output.add_publisher(Image, self._topics.output("ground_classes"))

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
        if self._memory or self._values.pose_source != "parameters":
            self._transforms.listen()
        topics, subscribe = self._topics, self.create_subscription
        infos = {"relayed": topics.output("camera_info"), "own": topics.camera_info}
        subscriptions = [
            subscribe(String, topics.output("legend"), self._on_legend, _LATCHED),
            *(
                subscribe(CameraInfo, topic, partial(self._on_info, name), _NEWEST_OF_ANY)
                for name, topic in infos.items()
            ),
            subscribe(Image, topics.output("labels"), self._on_labels, _NEWEST),
        ]
        if self._memory:
            confidence = topics.output("confidence")
            self._confidence = subscribe(Image, confidence, self._on_confidence, _NEWEST)
            subscriptions += [self._confidence, self._motion.subscribe()]
        return subscriptions

    def _forget(self) -> None:
        self._transforms.stop()
        self._forget_inputs()
        self._clear("nobody wanted the grid")

    def _forget_inputs(self) -> None:
        self._infos: dict[str, CameraInfo] = {}
        self._pairs = StampMatcher("labels", "confidence")
        self._confidence = None
        self._motion.forget()

    def _start_over(self) -> None:
        self._transforms.forget()
        self._motion.forget()
        self._clear("time starts again")

    def _clear(self, why: str) -> None:
        if self._memory is not None and not self._memory.is_empty:
            self._memory.clear()
            self.get_logger().info(f"the remembered ground is cleared: {why}")

    def _on_legend(self, message: String) -> None:
        try:
            legend = LabelSet.from_json(message.data)
        except ValueError as problem:
            self._legend = f"the legend is unreadable: {problem}"
            return
        if legend != self._legend:
            self._legend = legend
            self._clear("the class ids have changed")

    def _on_info(self, name: str, message: CameraInfo) -> None:
        self._infos[name] = message

    def _on_labels(self, message: Image) -> None:
        self._restarts.look_at(message.header.stamp)
        if self._confidence is not None and self._confidence.get_publisher_count():
            self._add("labels", message)
        else:
            self._output.publish(lambda: self._make(message))

    def _on_confidence(self, message: Image) -> None:
        self._add("confidence", message)

    def _add(self, stream: str, message: Image) -> None:
        stamp = message.header.stamp
        pair = self._pairs.add(stream, stamp.sec * 10**9 + stamp.nanosec, message)
        if pair is not None:
            self._output.publish(lambda: self._make(**pair))

    def _describe_inputs(self) -> tuple[str, dict[str, str]]:
        if self._memory is None:
            memory = "none: memory is 0"
        elif self._motion.source:
            memory = f"{self._values.memory:g} s, motion from {self._motion.source}"
        else:
            memory = (
                f"none: neither TF from {self._values.fixed_frame} nor "
                f"{self._values.odometry_topic} tells how the vehicle moves"
            )
        return "", {"camera pose from": self._view.pose_source, "memory": memory}

    def _make(self, labels: Image, confidence: Image | None = None) -> OccupancyGrid:
        """The grid of one label image. ValueError where there can be none; it says why."""
        ids, legend = label_ids(labels), self._known_legend()
        drivable = legend.ids(self._values.drivable_classes)
        costs = cost_table(legend, parse_costs(self._values.class_costs), drivable)
        info = self._newest_camera_info()
        table = self._view.table(info, labels.header, ids.shape)
        place = self._motion.place(labels.header.stamp) if self._memory is not None else None
        sure = None if confidence is None else label_ids(confidence)
        if place is not None:
            cells = self._remember(table, ids, costs, sure, place, labels.header)
        else:
            share = self._values.blocked_share
            cells = table.occupancy(ids, class_weights(drivable), share)
            if self._classes.get_subscription_count():
                classes = look_at_cells(table, ids, costs, sure, share).classes
                self._publish_classes(classes, labels.header)
        frame = self._values.vehicle_frame
        return to_grid_message(cells, self._view.extent, labels.header, frame)

    def _remember(
        self,
        table: GroundGrid,
        ids: Uint8,
        costs: Uint8,
        sure: Uint8 | None,
        place: Place,
        header: Header,
    ) -> Any:
        """The remembered cells int8 [rows, columns] with what this frame sees."""
        memory, seconds = self._memory, to_seconds(header.stamp)
        assert memory is not None
        if step := memory.jump(place, seconds):
            self._clear(f"the vehicle's pose jumped ({step:.1f} m)")
        memory.add(
            place, seconds, look_at_cells(table, ids, costs, sure, self._values.blocked_share)
        )
        ground = memory.around(place)
        self._publish_classes(ground.classes, header)
        values = ground.occupancy(costs)
        if self._values.connected_only:
            values = keep_connected(values, self._view.extent, table.first_seen)
        return values

    def _publish_classes(self, classes: Uint8, header: Header) -> None:
        if self._classes.get_subscription_count():
            header = Header(stamp=header.stamp, frame_id=self._values.vehicle_frame)
            self._classes.publish(to_image_message(classes, "mono8", header))

    def _known_legend(self) -> LabelSet:
        if self._legend is None:
            legend = self._topics.output("legend")
            raise NotYetError(f"waiting for what the class ids mean, on {legend}")
        if isinstance(self._legend, str):
            raise InputError(self._legend)
        return self._legend

    def _newest_camera_info(self) -> CameraInfo:
        info = self._infos.get("relayed") or self._infos.get("own")
        if info is None:
            names = f"{self._topics.output('camera_info')} and {self._topics.camera_info}"
            raise NotYetError(f"waiting for the camera's geometry on {names}")
        return info


def main(argv: list[str] | None = None) -> int:
    return run(GroundGridNode, argv, about=help_text(__doc__, Parameters))


if __name__ == "__main__":
    sys.exit(main())
