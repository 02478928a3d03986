# SPDX-License-Identifier: Apache-2.0
"""A subscriber of the nodes' outputs that comes and goes, and what it sees of them."""

import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from benchmarks.listening import Listener
from carla_unet_ros.ros.camera_topics import CameraTopics

CAMERA = CameraTopics("/carla/ego_vehicle/rgb_front/image")
_STATUS = f"/segmentation: {CAMERA.image}"


class SoakListener(Listener):
    """Receives labels, and more where asked.

    gaps:       seconds from one label image to the next, undisturbed ones alone
    recoveries: seconds from a disturbance to the next label image
    age_ms:     largest image age of the last second, as the node reports it; None before
    """

    def __init__(self) -> None:
        super().__init__("soak")
        self._subscriptions: dict[str, Subscription] = {}
        self._last = self._disturbed = 0.0
        self.labels = self.disturbances = 0
        self.gaps: list[float] = []
        self.recoveries: list[float] = []
        self.age_ms: float | None = None
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def want(self, *outputs: str) -> None:
        """Subscribes to these outputs of the camera, and to no others."""
        for name in self._subscriptions.keys() - set(outputs):
            self.node.destroy_subscription(self._subscriptions.pop(name))
        for name in outputs:
            if name not in self._subscriptions:
                take = self._on_labels if name == "labels" else lambda _: None
                self._subscriptions[name] = self.node.create_subscription(
                    Image, CAMERA.output(name), take, 2
                )

    def disturb(self) -> None:
        """Tells that something was done now: the time to the next label image is a recovery."""
        self._disturbed = time.monotonic()
        self.disturbances += 1

    def _on_labels(self, _: Image) -> None:
        now = time.monotonic()
        self.labels += 1
        if self._disturbed:
            self.recoveries.append(now - self._disturbed)
        elif self._last:
            self.gaps.append(now - self._last)
        self._last, self._disturbed = now, 0.0

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {entry.key: entry.value for entry in status.values}
            if status.name == _STATUS and values["largest image age (ms)"] != "unknown":
                self.age_ms = float(values["largest image age (ms)"])
