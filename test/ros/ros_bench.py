# SPDX-License-Identifier: Apache-2.0
"""A bench for nodes: they run as processes of their own, the test talks to them over DDS.

Everything waits for an event and fails after a time limit; nothing sleeps.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.ros.image_messages import to_image_message

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_PATIENCE = 60.0


class Process:
    """A node under test and what it printed."""

    def __init__(self, command: list[str], output: Path) -> None:
        self._output = output
        with output.open("w") as file:
            self.popen = subprocess.Popen(command, stdout=file, stderr=file)

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C, as often as needed once; gives the exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            pytest.fail(f"did not end {_PATIENCE:.0f} s after signal {number}: {self.printed}")

    def end_cleanly(self) -> None:
        """Ctrl-C must end it with status 0 and no traceback."""
        status = self.interrupt()
        assert "Traceback" not in self.printed, self.printed
        assert status == 0, (status, self.printed)


class RosBench:
    """A node of the test's own in the domain of `ros_domain`, and the processes it started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = Node("bench", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.processes: list[Process] = []

    def start(self, module: str, *ros_arguments: str, **parameters: Any) -> Process:
        """Starts `python -m carla_unet_ros.<module>` with these parameters."""
        command = [sys.executable, "-m", f"carla_unet_ros.{module}", "--ros-args", *ros_arguments]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={_yaml(value)}"]
        process = Process(command, self._folder / f"{module}_{len(self.processes)}.txt")
        self.processes.append(process)
        return process

    def collect(self, kind: type, topic: str, qos: QoSProfile | int = 10) -> list[Any]:
        """The messages of a topic, as they come while the bench waits."""
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, qos)
        return messages

    def until(self, condition: Callable[[], Any], seconds: float = _PATIENCE) -> Any:
        """Spins until the condition holds, and gives what it gave; fails after `seconds`."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > end:
                printed = "\n".join(process.printed for process in self.processes)
                pytest.fail(f"waited {seconds:.0f} s in vain; printed so far:\n{printed}")
            self.executor.spin_once(0.02)
        return found

    def spin(self, seconds: float) -> None:
        """Lets time pass, for what must not happen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(0.02)

    def call(self, kind: type, service: str, request: Any) -> Any:
        """The answer to a request that does no harm if it is made twice.

        A server on a busy machine may answer before it has met the client's reader, and then
        the answer is lost: so the request is repeated.
        """
        return self.until(lambda: self.call_once(kind, service, request))

    def call_once(self, kind: type, service: str, request: Any, seconds: float = 10.0) -> Any:
        """The answer, or None where none came in time."""
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready)
        future = client.call_async(request)
        end = time.monotonic() + seconds
        while not future.done() and time.monotonic() < end:
            self.executor.spin_once(0.02)
        return future.result() if future.done() else None

    def close(self) -> None:
        """Ends every process as Ctrl-C does; each must end with status 0 and no traceback."""
        with ExitStack() as stack:  # each is ended, whatever becomes of the others
            stack.callback(self.context.try_shutdown)
            stack.callback(self.node.destroy_node)
            stack.callback(self.executor.shutdown)
            for process in self.processes:
                stack.callback(process.end_cleanly)


class Camera:
    """A camera of the test's own: each `send` is one frame with its calibration."""

    def __init__(self, bench: RosBench, topic: str, qos: QoSProfile | int = 10) -> None:
        self._bench = bench
        self._frame_id = topic.strip("/").rpartition("/")[0]
        compressed = topic.endswith("/compressed")
        self.images = bench.node.create_publisher(
            CompressedImage if compressed else Image, topic, qos
        )
        parent = topic.removesuffix("/compressed").rpartition("/")[0]
        self.infos = bench.node.create_publisher(CameraInfo, f"{parent}/camera_info", 10)
        self._ticks = 0

    @property
    def listened_to(self) -> bool:
        return self.images.get_subscription_count() > 0

    def header(self) -> Header:
        """The next tick's: 50 ms later, with a frame_id that tells the camera."""
        self._ticks += 1
        header = Header(frame_id=self._frame_id)
        header.stamp.sec, milliseconds = divmod(100_000 + 50 * self._ticks, 1000)
        header.stamp.nanosec = milliseconds * 10**6
        return header

    def send(self, image: Uint8, encoding: str = "bgra8", header: Header | None = None) -> Header:
        header = header or self.header()
        height, width = image.shape[:2]
        self.infos.publish(CameraInfo(header=header, height=height, width=width))
        self.images.publish(to_image_message(image, encoding, header))
        return header

    def answer(self, image: Uint8, answers: list[Image], encoding: str = "bgra8") -> Image:
        """Sends a frame and gives the message among `answers` that has its header."""
        header = self.send(image, encoding)
        return self._bench.until(
            lambda: next((found for found in answers if found.header == header), None)
        )


def start_segmentation(
    bench: RosBench, model: Path, *ros_arguments: str, **parameters: Any
) -> Process:
    """A segmentation node on the engine every machine has."""
    return bench.start(
        "segmentation.segmentation_node",
        *ros_arguments,
        model=model,
        engine="openvino",
        **parameters,
    )


def free_ports() -> dict[str, int]:
    """Parameters of view_node: two TCP ports that nobody uses."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [entry.getsockname()[1] for entry in sockets]
    for entry in sockets:
        entry.close()
    return dict(zip(("page_port", "data_port"), ports, strict=True))


def refusal(node: Callable[[], Node], **parameters: Any) -> str:
    """What a node says that does not start with these parameters."""
    overrides = [
        entry for name, value in parameters.items() for entry in ("-p", f"{name}:={_yaml(value)}")
    ]
    rclpy.init(args=["--ros-args", *overrides])
    try:
        with pytest.raises((ParameterException, ValueError)) as error:
            node().destroy_node()
    finally:
        rclpy.shutdown()
    return str(error.value)


class Diagnostics:
    """The newest status of each name on a topic of DiagnosticArray."""

    def __init__(self, bench: RosBench, topic: str = "/diagnostics") -> None:
        self.arrays: list[DiagnosticArray] = bench.collect(DiagnosticArray, topic)

    def __call__(self, name: str) -> DiagnosticStatus | None:
        for array in reversed(self.arrays):
            for status in array.status:
                if status.name == name:
                    return status
        return None

    def find(self, name: str, text: str) -> DiagnosticStatus | None:
        """The first status of this name with this text in its message."""
        every = (status for array in self.arrays for status in array.status)
        return next(
            (found for found in every if found.name == name and text in found.message), None
        )

    def value(self, name: str, key: str) -> str:
        """One value of a status, "" while there is none."""
        status = self(name)
        values = {entry.key: entry.value for entry in status.values} if status else {}
        return values.get(key, "")

    def message(self, name: str) -> str:
        status = self(name)
        return status.message if status else ""


def scene(height: int = 48, width: int = 64, seed: int = 0) -> tuple[Uint8, Uint8]:
    """A BGRA frame painted in the palette colours of random classes, and those classes."""
    ids = np.random.default_rng(seed).integers(0, len(carla_13()), (height, width), np.uint8)
    alpha = np.full((height, width), 255, np.uint8)
    return np.dstack([carla_13().palette_bgr[ids], alpha]), ids


def pixels(message: Image) -> Uint8:
    """A message of ours as [height, width(, channels)], checked to have tight rows."""
    channels = {"mono8": (), "bgr8": (3,)}[message.encoding]
    assert message.step == message.width * int(np.prod(channels, dtype=int))
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, *channels)


def _yaml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, (str, Path)) else str(value)
