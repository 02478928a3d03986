# SPDX-License-Identifier: Apache-2.0
"""Judges all that was seen of a graph, line by line, in the order in which causes hide others."""

from dataclasses import dataclass

from carla_unet_ros.check.cameras import (
    judge_calibration,
    judge_likeness,
    judge_picture,
    judge_tags,
)
from carla_unet_ros.check.causes import Cause
from carla_unet_ros.check.findings import Finding, fine, problem, unseen, warning
from carla_unet_ros.check.mounting import judge_mounting
from carla_unet_ros.check.observations import Observations, Stream
from carla_unet_ros.check.streams import judge_clock, judge_pairs, judge_stamps, judge_stream


@dataclass(frozen=True)
class Expected:
    """What the nodes are told.

    tags:          CARLA version whose tags the truth holds
    vehicle_frame: TF frame of the vehicle
    camera_axes:   axes of the camera's TF frame, optical or body
    least_rate:    frames a second below which the check warns
    truth:         whether the semantic camera is needed
    """

    tags: str
    vehicle_frame: str
    camera_axes: str
    least_rate: float
    truth: bool = True


def inspect(seen: Observations, expected: Expected) -> list[Finding]:
    """The lines of the table, from the domain to our own nodes; only that one if it is empty."""
    # CARLA's own interface shows no node in the graph, only topics.
    known = seen.other_nodes, seen.nodes, *(stream.publishers for stream in seen.streams)
    if not any(known):
        return [problem("domain", Cause.ALONE, "nothing was found")]
    lines = [fine("domain", f"{len(seen.other_nodes)} other nodes")]
    lines.append(judge_clock(seen.clock, expected.least_rate))
    lines += _frames(seen, expected)
    if expected.truth:
        lines += _truth(seen, expected)
    lines.append(_tf(seen, expected))
    lines += _nodes(seen)
    return lines


def _frames(seen: Observations, expected: Expected) -> list[Finding]:
    found = [
        judge_stream("frames", seen.frames, expected.least_rate, seen.image_topics),
        judge_stream("camera_info", seen.frames_info, 0.0),
    ]
    if seen.frames.arrivals:
        found += [
            judge_picture("frame", seen.frame),
            judge_stamps(seen.frames, seen.clock),
        ]
    if seen.frames_calibration:
        found.append(judge_calibration(seen.frame, seen.frames_calibration))
    return found


def _truth(seen: Observations, expected: Expected) -> list[Finding]:
    found = [judge_stream("truth", seen.truth, expected.least_rate, seen.image_topics)]
    if not seen.truth.arrivals:
        return found
    return [
        *found,
        judge_picture("truth image", seen.truth_picture),
        judge_likeness(
            (seen.frame, seen.truth_picture), (seen.frames_calibration, seen.truth_calibration)
        ),
        judge_pairs(seen.frames, seen.truth),
        judge_tags(seen.tags, expected.tags),
    ]


def _tf(seen: Observations, expected: Expected) -> Finding:
    if seen.no_tf:
        return unseen("TF", seen.no_tf)
    frame = seen.frame.frame_id if seen.frame else ""
    return judge_mounting(seen.transforms, frame, expected.vehicle_frame, expected.camera_axes)


def _nodes(seen: Observations) -> list[Finding]:
    """Our own nodes: each problem that one reports, or that it is well, or that it is not here."""
    found: list[Finding] = []
    for node, reports in seen.nodes.items():
        bad = [report for report in reports.values() if not report.ok]
        found += [
            warning(node, Cause.NODE_TELLS, f"{report.name}: {report.message}") for report in bad
        ]
        if not bad:
            told = next((report.message for report in reports.values()), "it runs")
            found.append(fine(node, told))
    return found or [unseen("nodes", "no node of this package runs, which is no fault")]


def streams_of(image: str, info: str, truth: str, truth_info: str) -> Observations:
    """Empty observations of these topics."""
    images, infos = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
    return Observations(
        clock=Stream("/clock", "rosgraph_msgs/msg/Clock"),
        frames=Stream(image, images),
        frames_info=Stream(info, infos),
        truth=Stream(truth, images),
        truth_info=Stream(truth_info, infos),
    )
