# SPDX-License-Identifier: Apache-2.0
"""Segments the frames of one to eight cameras, and publishes labels, confidence and overlay.

For every image topic in `image_topics`, outputs appear beside the camera, under
<camera>/segmentation/: labels, confidence, overlay, camera_info, legend and label_info (see
camera_outputs.py). All cameras share one engine and take turns. The engine is prepared for each
size of frames in a thread of its own; frames of that size are dropped until it is ready.
/diagnostics reports the state of each camera once a second, and what the engine is prepared for.

A lifecycle node: `configure` reads the model and opens the engine, `activate` begins to listen.
With `autostart`, the default, it does both by itself. A parameter that cannot be used (a missing
model file, an engine that is not available) is refused with the reason, at the start and when it
is set. If configuring fails all the same, the node says why and waits: configure again.
"""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from carla_unet_ros.camera_model import LARGEST_FRAME, LARGEST_SIDE, parse_size
from carla_unet_ros.engines import (
    ENGINE_KINDS,
    MOST_THREADS,
    EngineError,
    check_device,
    choose_engine,
)
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import carla_label_set
from carla_unet_ros.labels.legend import Legend, labels_to_publish
from carla_unet_ros.model_file import SHIPPED_MODEL, ModelError, find_model, read_model
from carla_unet_ros.ros.camera_topics import CameraTopics, check_image_topics, check_outputs
from carla_unet_ros.ros.frame_clock import FrameClock
from carla_unet_ros.ros.lifecycle import STEADY, ManagedNode, RefusedError
from carla_unet_ros.ros.main import run
from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable, declare, help_text
from carla_unet_ros.ros.qos_overrides import check_qos_overrides
from carla_unet_ros.segmentation.camera_input import RELIABILITIES
from carla_unet_ros.segmentation.camera_stream import CameraStream
from carla_unet_ros.segmentation.engine_preparation import EnginePreparation
from carla_unet_ros.segmentation.frame_dispatcher import FrameDispatcher
from carla_unet_ros.segmentation.node_status import node_status
from carla_unet_ros.segmenter import Segmenter


class Parameters(ParameterTable):
    model = NodeParameter(
        "",
        "ONNX file of the model; '' is the shipped one: carla_unet_fp16.onnx for tensorrt, "
        "carla_unet_int8.onnx for openvino",
        check=lambda path: path and find_model(path),
    )
    engine = NodeParameter(
        "auto",
        "what runs the model: auto is tensorrt where a GPU and TensorRT are there, else openvino",
        choices=ENGINE_KINDS,
    )
    device = NodeParameter(
        "auto",
        "what the engine runs on: cuda:N, an NVIDIA GPU (tensorrt); cpu, or Intel's gpu or npu "
        "(openvino); auto is the engine's first choice",
        check=check_device,
    )
    threads = NodeParameter(
        0,
        "most CPU threads that openvino uses on the cpu; 0 leaves it to openvino",
        range=(0, MOST_THREADS),
    )
    engine_cache = NodeParameter(
        "",
        "folder that keeps built TensorRT engines; '' is ~/.cache/carla_unet_ros",
    )
    image_topics = NodeParameter(
        ["/carla/ego_vehicle/rgb_front/image"],
        "image topics of 1 to 8 cameras; sensor_msgs/CompressedImage where a name ends in "
        "/compressed, else sensor_msgs/Image",
        check=check_image_topics,
    )
    frame_size = NodeParameter(
        "",
        "WIDTHxHEIGHT of the cameras' frames, such as 800x600: the engine is prepared for them "
        "when the node is configured; '' waits for camera_info or the first frame",
        check=lambda size: size and parse_size(size),
    )
    largest_frame = NodeParameter(
        LARGEST_FRAME / 1e6,
        "million pixels of the largest frame; larger ones are refused before anything is decoded",
        range=(0.001, LARGEST_SIDE**2 / 1e6),
    )
    reliability = NodeParameter(
        "reliable",
        "QoS with which frames are subscribed; best_effort loses most large frames unless the "
        "publisher's shared memory is enlarged",
        choices=RELIABILITIES,
    )
    overlay_opacity = NodeParameter(
        0.5,
        "how strongly the overlay's colours cover the frame: 0 not at all, 1 wholly",
        range=(0.0, 1.0),
        live=True,
    )
    min_confidence = NodeParameter(
        0.0,
        "pixels whose class has a lower probability are published as class 255, Unknown; 0 "
        "publishes the likeliest class of every pixel",
        range=(0.0, 1.0),
    )
    output_tags = NodeParameter(
        "",
        "CARLA version whose tags are published as class ids, such as 0.9.15; '' is the model's "
        "own ids",
        check=lambda version: version and carla_label_set(version),
    )
    autostart = NodeParameter(
        True,
        "whether the node configures and activates itself; false leaves it to a lifecycle manager",
        constant=True,
    )


def check_together(values: Mapping[str, Any]) -> None:
    """Checks, before anything starts, that this machine can run these parameters.

    Raises ValueError with the reason: an engine, a device or a library that is not there, a model
    file that cannot be used, class ids or a size that do not fit.
    """
    choose_engine(values["engine"], values["device"])
    if values["model"] or values["output_tags"]:
        model = read_model(values["model"] or SHIPPED_MODEL)
        labels_to_publish(model.label_set, values["output_tags"])
    size, megapixels = values["frame_size"], values["largest_frame"]
    if size and (pixels := math.prod(parse_size(size))) > 1e6 * megapixels:
        raise InputError(
            f"frame_size {size} has {pixels / 1e6:g} million pixels; largest_frame allows "
            f"{megapixels:g}"
        )


class SegmentationNode(ManagedNode):
    """Services: those of every lifecycle node. Publishes /diagnostics."""

    def __init__(self) -> None:
        super().__init__("segmentation")
        self._cameras: list[CameraStream] = []
        self._dispatcher = FrameDispatcher(self)
        self._preparation: EnginePreparation | None = None
        self._engine_changed = self.create_guard_condition(self._on_engine_change)
        self._frame_clock = FrameClock(self)
        self._values = declare(
            self, Parameters, frozen=self._why_frozen, check_all=self._check_together
        )
        check_qos_overrides(self)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics, clock=STEADY)
        if self._values.autostart:
            self.start_soon()

    def configure(self) -> None:
        try:
            self._open()
        except (ModelError, EngineError, ValueError) as error:
            self.clean_up()
            raise RefusedError(f"cannot be configured: {error}") from error

    def activate(self) -> None:
        for camera in self._cameras:
            camera.activate()
        self.get_logger().info(f"ready; {len(self._cameras)} camera(s)")

    def deactivate(self) -> None:
        for camera in self._cameras:
            camera.deactivate()

    def clean_up(self) -> None:
        for camera in self._cameras:
            camera.close()
        self._cameras = []
        if self._preparation is not None:
            self._preparation.close()
            self._preparation = None

    def destroy_node(self) -> None:
        if self._preparation is not None:
            self._preparation.close()  # its thread must not call a node that is gone
        super().destroy_node()

    def _open(self) -> None:
        topics = self._values.image_topics
        check_outputs(topics, self.resolve_topic_name)
        cache = self._values.engine_cache
        preparation = self._preparation = EnginePreparation(
            lambda log: Segmenter(
                model=self._values.model or None,
                engine=self._values.engine,
                engine_cache=Path(cache) if cache else None,
                log=log,
                device=self._values.device,
                threads=self._values.threads,
            ),
            self._log,
            self._engine_changed.trigger,
        )
        if self._values.frame_size:
            preparation.is_ready(parse_size(self._values.frame_size))
        segmenter = preparation.segmenter
        model = segmenter.model
        legend = Legend(
            labels=labels_to_publish(model.label_set, self._values.output_tags),
            model_labels=model.label_set,
            model=model.name,
            engine=segmenter.engine.name,
            min_confidence=self._values.min_confidence,
        )
        self._cameras = [
            CameraStream(
                node=self,
                topics=CameraTopics(topic),
                reliability=self._values.reliability,
                preparation=preparation,
                most_pixels=round(1e6 * self._values.largest_frame),
                legend=legend,
                clock=self._frame_clock,
                dispatcher=self._dispatcher,
                opacity=lambda: self._values.overlay_opacity,
            )
            for topic in topics
        ]

    def _check_together(self, values: Mapping[str, Any]) -> None:
        # Once configured, only values that fit all others can be changed.
        if self._preparation is None:
            check_together(values)

    def _publish_diagnostics(self) -> None:
        node = self.get_fully_qualified_name()
        own = node_status(node, self.state, self._preparation, len(self._cameras), self.refusal)
        cameras = [camera.status(node) for camera in self._cameras]
        message = DiagnosticArray(status=[own, *cameras])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def _why_frozen(self) -> str:
        if self._preparation is None:
            return ""
        return (
            "it is read when the node is configured; take it back first "
            f"(ros2 lifecycle set {self.get_fully_qualified_name()} deactivate, then cleanup)"
        )

    def _log(self, line: str) -> None:
        self.get_logger().info(line)

    def _on_engine_change(self) -> None:
        for camera in self._cameras:
            camera.resume()


def main(argv: list[str] | None = None) -> int:
    return run(SegmentationNode, argv, about=help_text(__doc__, Parameters))


if __name__ == "__main__":
    sys.exit(main())
