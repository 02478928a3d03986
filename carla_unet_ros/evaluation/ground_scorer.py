# SPDX-License-Identifier: Apache-2.0
"""Scores the free ground of pairs of labels and truth, seen from the camera's pose."""

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from carla_unet_ros.evaluation.free_space import FreeSpaceScores
from carla_unet_ros.evaluation.live_scores import LiveScores
from carla_unet_ros.ground.ground_view import GroundView, ViewParameters
from carla_unet_ros.ground.transforms import Transforms
from carla_unet_ros.labels import Uint8


class GroundScorer:
    """Knows the camera's geometry from camera_info and, as ground_grid_node does, from TF or from
    the node's parameters."""

    def __init__(self, node: Node, parameters: ViewParameters) -> None:
        """ValueError where the parameters do not fit each other."""
        self._parameters = parameters
        self._transforms = Transforms(node)
        self._view = GroundView(node, parameters, self._transforms, lambda: None)
        if parameters.pose_source != "parameters":
            self._transforms.listen()

    def add(
        self,
        free_space: FreeSpaceScores,
        scores: LiveScores,
        pair: tuple[Uint8, Uint8],
        header: Header,
        info: CameraInfo | None,
    ) -> None:
        """Adds a pair to `free_space`, or writes there why it cannot.

        scores: says what the ids mean
        pair:   tags of the truth, and published ids, uint8 [height, width]
        header: of the labels
        info:   of their camera; None before it comes
        """
        try:
            if info is None:
                raise ValueError("no camera_info of the camera has come")
            truth, labels = pair
            table = self._view.table(info, header, labels.shape)
            drivable = scores.find_classes(self._parameters.drivable_classes)
            classes = scores.truth_classes(truth), scores.label_classes(labels)
            free_space.add(table, *classes, drivable, self._parameters.blocked_share)
            free_space.problem = ""
        except ValueError as problem:
            free_space.problem = str(problem)

    def start_over(self) -> None:
        """Time starts again: TF knows nothing of the new time yet."""
        self._transforms.forget()
