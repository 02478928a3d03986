# SPDX-License-Identifier: Apache-2.0
"""Scores the labels while driving: compares them with CARLA's own semantic camera.

    in   <camera>/segmentation/labels, /legend   what segmentation_node publishes
         <semantic camera>/image                 truth: palette colours (CARLA's bridge) or raw
                                                 tags in red (CARLA's own ROS 2 interface)
         <camera>/image                          only if a report is wanted
         <camera>/camera_info, /tf, /tf_static   for the free ground: how the camera sees it
    out  ~/iou  diagnostic_msgs/DiagnosticArray, once a second: mean IoU, IoU per class and of the
                free ground, over the last pairs and since the start; how many pairs, how many
                without a partner

The node compares labels and truth with equal stamps, pixel by pixel. So both cameras need the same
size, field of view and pose. Where the camera's geometry is known, the node also compares the free
ground of both (free_space.py). At the end it writes report.json and worst.png (frame | truth |
labels) into the folder `report`.
"""

import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from carla_unet_ros.errors import InputError, expand_home
from carla_unet_ros.evaluation.free_space import FreeSpaceScores
from carla_unet_ros.evaluation.ground_scorer import GroundScorer
from carla_unet_ros.evaluation.live_scores import LiveScores
from carla_unet_ros.evaluation.report import LiveFigures, statuses, write_report
from carla_unet_ros.evaluation.truth_reader import TRUTH_KINDS, TruthReader
from carla_unet_ros.evaluation.worst_frames import ScoredFrame, WorstFrames
from carla_unet_ros.ground.ground_view import ViewParameters
from carla_unet_ros.labels import Uint8, carla_label_set
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.ros.image_messages import BadFrame, label_ids, to_bgra, to_semantic
from carla_unet_ros.ros.lifecycle import STEADY
from carla_unet_ros.ros.main import run
from carla_unet_ros.ros.pace import Pace
from carla_unet_ros.ros.parameters import NodeParameter, declare, help_text
from carla_unet_ros.ros.scene_topics import SceneTopics
from carla_unet_ros.ros.stamp_matcher import StampMatcher
from carla_unet_ros.ros.time_restarts import TimeRestarts
from carla_unet_ros.ros.topic_types import find_wrong_type
from carla_unet_ros.whole_files import prepare_folder


class Parameters(SceneTopics, ViewParameters):
    truth = NodeParameter(
        "auto",
        "what the truth images hold: palette colours, raw tags in the red channel, or auto, which "
        "looks at each",
        choices=TRUTH_KINDS,
        constant=True,
    )
    window = NodeParameter(
        100,
        "how many of the last pairs the sliding figures are of",
        range=(1, 10000),
        constant=True,
    )
    report = NodeParameter(
        "",
        "folder for report.json and worst.png, written at the end; '' for none",
        constant=True,
    )


_QUEUE = 10
_SECONDS_BETWEEN_LINES = 5.0
_PATIENCE_SECONDS = 3.0


class EvaluationNode(Node):
    """Publishes ~/iou."""

    def __init__(self) -> None:
        super().__init__("evaluation")
        self._values = declare(self, Parameters)
        tags = carla_label_set(self._values.tags)
        self._figures = LiveFigures(
            tags,
            StampMatcher("labels", "truth"),
            TruthReader(tags, self._values.truth),
            FreeSpaceScores(self._values.window),
        )
        self._ground = GroundScorer(self, self._values)
        self._report = _writable(self._values.report)
        self._worst = WorstFrames()
        self._restarts = TimeRestarts(self, self._start_over)
        self._legend_problem = self._pair_problem = ""
        self._pair_scored = True
        self._pace = Pace(_PATIENCE_SECONDS)
        self._iou = self.create_publisher(DiagnosticArray, "~/iou", 10)
        self._inputs = self._subscribe()
        self.create_timer(1.0, self._publish, clock=STEADY)
        self.create_timer(_SECONDS_BETWEEN_LINES, self._log, clock=STEADY)

    def destroy_node(self) -> None:
        """Writes the report and destroys the node. OSError where the report cannot be written."""
        try:
            if self._report is not None:
                write_report(self._report, self._figures, self._worst)
        finally:
            super().destroy_node()

    def _subscribe(self) -> list[Subscription]:
        labels = self._values.labels_topic
        legend = f"{labels.rpartition('/')[0]}/legend"
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        subscribe = self.create_subscription
        inputs: list[Subscription] = [
            subscribe(String, legend, self._on_legend, latched),
            subscribe(Image, self._values.truth_topic, self._on_truth, _QUEUE),
            subscribe(Image, labels, self._on_labels, _QUEUE),
        ]
        for name, image in (
            ("frames", self._values.image_topic),
            ("truth", self._values.truth_topic),
        ):
            topic = CameraTopics(image).camera_info
            inputs.append(subscribe(CameraInfo, topic, self._info_keeper(name), 1))
        if self._report is not None:
            inputs.append(subscribe(Image, self._values.image_topic, self._on_frame, _QUEUE))
        return inputs

    def _info_keeper(self, name: str) -> Callable[[CameraInfo], None]:
        def keep(message: CameraInfo) -> None:
            self._figures.infos[name] = message

        return keep

    def _start_over(self) -> None:
        """Time starts again: another drive, maybe from another camera."""
        self._worst.start_over()
        self._ground.start_over()
        self._figures.free_space = FreeSpaceScores(self._values.window)

    def _on_legend(self, message: String) -> None:
        figures = self._figures
        try:
            legend = Legend.from_json(message.data)
            changed = legend != figures.legend
            if changed:
                figures.scores = LiveScores(legend, figures.tags, self._values.window)
        except ValueError as error:
            # Nothing is scored until a legend comes that can be read: the ids may have changed.
            self._legend_problem = f"labels cannot be scored: {error}"
            self.get_logger().error(self._legend_problem)
            return
        self._legend_problem = ""
        if not changed:
            return
        # The model or its classes have changed: older scores say nothing about these.
        figures.legend = legend
        figures.free_space = FreeSpaceScores(self._values.window)
        self._worst = WorstFrames()
        self.get_logger().info(f"scoring {legend.model} on {legend.engine}")

    def _on_labels(self, message: Image) -> None:
        self._restarts.look_at(message.header.stamp, "labels")
        self._add("labels", message)

    def _on_truth(self, message: Image) -> None:
        self._add("truth", message)

    def _add(self, stream: str, message: Image) -> None:
        scores = self._figures.scores
        if scores is None or self._legend_problem:
            return
        pair = self._figures.pairs.add(stream, _nanoseconds(message), message)
        if pair is not None:
            self._score(scores, **pair)

    def _score(self, scores: LiveScores, labels: Image, truth: Image) -> None:
        self._pace.came()
        try:
            tags = self._figures.truth.read(_shown_truth(truth))
            ids = label_ids(labels)
            mean_iou = scores.add(tags, ids)
        except ValueError as error:
            self._figures.unusable += 1
            self._pair_problem, self._pair_scored = f"pair skipped: {error}", False
            self.get_logger().warning(
                self._pair_problem, throttle_duration_sec=_SECONDS_BETWEEN_LINES
            )
            return
        self._pair_scored = True
        figures, info = self._figures, self._figures.infos.get("frames")
        self._ground.add(figures.free_space, scores, (tags, ids), labels.header, info)
        if self._report is not None and not math.isnan(mean_iou):
            stamp = _nanoseconds(labels)
            classes = scores.truth_classes(tags), scores.label_classes(ids)
            self._worst.offer(ScoredFrame(scores.pairs, stamp, mean_iou, *classes))

    def _on_frame(self, message: Image) -> None:
        self._restarts.look_at(message.header.stamp, "frames")
        self._worst.add_image(_nanoseconds(message), partial(self._read_frame, message))

    def _read_frame(self, message: Image) -> Uint8 | None:
        try:
            return to_bgra(message)
        except BadFrame as problem:
            self.get_logger().warning(f"frame without picture: {problem}")
            return None

    def _publish(self) -> None:
        wrong_type = find_wrong_type(self, self._inputs)
        problems = (
            wrong_type or self._legend_problem or self._silence(),
            self._pair_problem,
            self._figures.find_doubt(),
        )
        node = self.get_fully_qualified_name()
        message = DiagnosticArray(
            status=statuses(node, self._figures, "; ".join(filter(None, problems)))
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._iou.publish(message)
        if self._pair_scored:
            self._pair_problem = ""

    def _silence(self) -> str:
        """Why no pair has come for some time; "" where one has."""
        if not self._pace.late:
            return ""
        pairs = self._figures.pairs
        silent = f"no pair of labels and truth for {self._pace.silence:.0f} s"
        labels, truth = self._values.labels_topic, self._values.truth_topic
        if self._figures.scores is None:
            return f"{silent}: no legend beside {labels}; is segmentation_node active?"
        if not pairs.received["labels"]:
            return f"{silent}: no labels on {labels}"
        if not pairs.received["truth"]:
            return f"{silent}: no truth on {truth}; is the semantic camera spawned?"
        if self._figures.scored:
            return f"{silent}: {labels} or {truth} has stopped, or lags far behind"
        return f"{silent}: {labels} and {truth} have no stamp in common"

    def _log(self) -> None:
        self.get_logger().info(self._figures.summary())


def _writable(folder: str) -> Path | None:
    """The report's folder, which is made if it is missing. InputError where it cannot be made."""
    if not folder:
        return None
    path = expand_home(folder)
    prepare_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"report folder {path} cannot be made: {error.strerror}") from error
    return path


def _shown_truth(message: Image) -> Uint8:
    """The image of the semantic camera. ValueError if there is nothing on it.

    Black means "no class" in every palette: all labels would be scored as wrong.
    """
    image = to_semantic(message)
    if not (image[..., :3] if image.ndim == 3 else image).any():
        raise InputError(
            "the truth is black all over, so it has no class anywhere; is this the topic of a "
            "semantic camera, and is it attached to the vehicle?"
        )
    return image


def _nanoseconds(message: Image) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def main(argv: list[str] | None = None) -> int:
    return run(EvaluationNode, argv, about=help_text(__doc__, Parameters))


if __name__ == "__main__":
    sys.exit(main())
