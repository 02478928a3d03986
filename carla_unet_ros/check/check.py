# SPDX-License-Identifier: Apache-2.0
"""Looks at a running ROS graph and says what the nodes would miss in it: `carla_unet_check`."""

import math
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from carla_unet_ros.check.findings import Finding, Level
from carla_unet_ros.check.inspection import Expected, inspect
from carla_unet_ros.check.table import set_table, summarise
from carla_unet_ros.command_line import Configured, check_ranges, run_command
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import carla_label_set
from carla_unet_ros.ros.camera_topics import check_topic

if TYPE_CHECKING:
    from rclpy.executors import Executor

    from carla_unet_ros.check.graph_listener import GraphListener

_SECONDS_A_LOOK = 0.2
_SECONDS_FOR_DDS = 3  # to leave the domain, which may hang (ros/exit_timer.py)


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Look at a running ROS graph, and say in a table what is there and what is not.

    It listens for some seconds to frames, truth, camera_info, /clock and TF, and compares types,
    sizes, QoS, rates, stamps and tags with what the nodes of this package need. Each line that is
    not well says what to do. The nodes themselves need not run: where they do, their own reports
    are shown, too. Nothing is published, and no node is made to compute.

    The exit status is 0 where all is well, 1 where there is a problem. Warnings do not count.
    The bridge: carla_unet_check. CARLA 0.9.16 and newer with --ros2: carla_unet_check --native.
    """

    role_name: str = "ego_vehicle"  # the car's name in its topics
    # the frames come from CARLA's own ROS 2 interface: tags is then 0.9.16, camera_axes body
    native: bool = False
    image_topic: str | None = None  # frames, where they are not .../rgb_front/image of that car
    # truth, where it is not .../semantic_segmentation_front/image of that car
    truth_topic: str | None = None
    truth: bool = True  # whether the semantic camera is needed, as evaluation_node does
    tags: str | None = None  # CARLA version whose tags the truth holds; without, 0.9.13
    vehicle_frame: str | None = None  # TF frame of the vehicle; without, the car's name
    # axes of the camera's TF frame; without, optical (z ahead), as the bridge sends it
    camera_axes: Literal["optical", "body"] | None = None
    # with which segmentation_node subscribes to the frames
    reliability: Literal["reliable", "best_effort"] = "reliable"
    least_rate: float = 5.0  # messages a second below which the check warns
    # to listen, from the first frame on; no longer where none comes in this time
    seconds: float = 5.0

    def __post_init__(self) -> None:
        check_ranges(self, seconds=(0.1, 3600.0), least_rate=(0.0, math.inf))
        carla_label_set(self.expected.tags)
        for topic in self.topics:
            check_topic(topic)

    @property
    def topics(self) -> tuple[str, str]:
        """The topics of frames and truth."""
        car = f"/carla/{self.role_name}"
        return (
            self.image_topic or f"{car}/rgb_front/image",
            self.truth_topic or f"{car}/semantic_segmentation_front/image",
        )

    @property
    def expected(self) -> Expected:
        return Expected(
            tags=self.tags or ("0.9.16" if self.native else "0.9.13"),
            vehicle_frame=self.vehicle_frame or self.role_name,
            camera_axes=self.camera_axes or ("body" if self.native else "optical"),
            least_rate=self.least_rate,
            truth=self.truth,
        )


def _check(options: Options) -> int:
    try:
        import rclpy
        from rclpy.signals import SignalHandlerOptions

        from carla_unet_ros.ros.exit_timer import exit_after
    except ImportError as error:
        raise InputError(
            f"ROS 2 cannot be imported ({error}); source /opt/ros/jazzy/setup.bash, or install "
            "it with pip install '.[ros]'"
        ) from error
    # Ctrl-C stays Python's own, a KeyboardInterrupt.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    status = 1
    try:
        findings = _listen(options)
        print(set_table(findings, colours=sys.stdout.isatty()))
        print(f"\n{summarise(findings)}", flush=True)
        status = int(any(finding.level is Level.PROBLEM for finding in findings))
        return status
    finally:
        exit_after(_SECONDS_FOR_DDS, status)
        rclpy.try_shutdown()


def _listen(options: Options) -> list[Finding]:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.qos import ReliabilityPolicy

    from carla_unet_ros.check.graph_listener import GraphListener

    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    print(
        f"Listening for {options.seconds:g} s in ROS domain {domain}, with "
        f"{rclpy.get_rmw_implementation_identifier()} ...",
        file=sys.stderr,
    )
    node = Node("carla_unet_check", start_parameter_services=False, enable_rosout=False)
    listener = GraphListener(node, *options.topics, ReliabilityPolicy[options.reliability.upper()])
    with SingleThreadedExecutor() as executor:
        executor.add_node(node)
        _spin(listener, executor, options.seconds)
    return inspect(listener.read(options.expected.tags), options.expected)


def _spin(listener: "GraphListener", executor: "Executor", seconds: float) -> None:
    """Listens for `seconds` from the first frame on, and as long for the first frame."""
    end = time.monotonic() + seconds
    looked = -math.inf
    while (now := time.monotonic()) < end:
        if now - looked > _SECONDS_A_LOOK:
            listener.look()
            looked = now
        executor.spin_once(_SECONDS_A_LOOK)
        if frames := listener.seen.frames.arrivals:
            end = frames[0] + seconds


def main(argv: list[str] | None = None) -> int:
    return run_command(Options, "carla_unet_check", _check, argv)


if __name__ == "__main__":
    sys.exit(main())
