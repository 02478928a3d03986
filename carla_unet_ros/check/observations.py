# SPDX-License-Identifier: Apache-2.0
"""Holds what was seen of a ROS graph in some seconds; knows no ROS."""

from dataclasses import dataclass, field
from typing import NamedTuple

from carla_unet_ros.check.truth_tags import TagReading


class Publisher(NamedTuple):
    """Who publishes a topic.

    misfit: why the middleware does not connect it with what the nodes ask for, "" where it does
    """

    node: str
    type: str
    misfit: str = ""


@dataclass
class Stream:
    """The messages of one topic.

    arrivals: when they came, in seconds of the machine
    stamps:   their stamps in nanoseconds
    """

    topic: str
    type: str
    publishers: list[Publisher] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)

    def add(self, arrival: float, stamp: int) -> None:
        self.arrivals.append(arrival)
        self.stamps.append(stamp)

    @property
    def rate(self) -> float:
        """Messages a second of the machine; 0 below two messages."""
        span = self.arrivals[-1] - self.arrivals[0] if self.arrivals else 0.0
        return (len(self.arrivals) - 1) / span if span > 0 else 0.0


class Picture(NamedTuple):
    """The newest image of a camera. Sizes in pixels; problem: why it cannot be read, or ""."""

    width: int
    height: int
    encoding: str
    frame_id: str
    problem: str


class Calibration(NamedTuple):
    """The newest camera_info of a camera, in pixels."""

    width: int
    height: int
    fx: float
    fy: float


class Transform(NamedTuple):
    """What TF says of a frame: its parent, its place in metres, its turn as x, y, z, w."""

    parent: str
    place: tuple[float, float, float]
    turn: tuple[float, float, float, float]


class NodeReport(NamedTuple):
    """A status that a node of this package published."""

    name: str
    ok: bool
    message: str


@dataclass
class Observations:
    """All that was seen.

    other_nodes:  the other nodes of the domain, by their full names
    image_topics: all topics of sensor_msgs/Image
    no_tf:        why TF could not be read, "" where it could
    nodes:        our own nodes that run, and what they report, by their short names
    """

    clock: Stream
    frames: Stream
    frames_info: Stream
    truth: Stream
    truth_info: Stream
    other_nodes: list[str] = field(default_factory=list)
    image_topics: list[str] = field(default_factory=list)
    frame: Picture | None = None
    truth_picture: Picture | None = None
    tags: TagReading | None = None
    frames_calibration: Calibration | None = None
    truth_calibration: Calibration | None = None
    transforms: dict[str, Transform] = field(default_factory=dict)
    no_tf: str = ""
    nodes: dict[str, dict[str, NodeReport]] = field(default_factory=dict)

    @property
    def streams(self) -> tuple[Stream, ...]:
        return self.clock, self.frames, self.frames_info, self.truth, self.truth_info
