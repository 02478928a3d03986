# SPDX-License-Identifier: Apache-2.0
"""Builds the status of one camera for /diagnostics.

<node>: <image topic>  frames in, out, dropped, bad, failed; rate; image age
"""

from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus

from carla_unet_ros.ros.diagnostics import ERROR, OK, WARN, number, status
from carla_unet_ros.segmentation.frame_statistics import FrameReport


class CameraState(NamedTuple):
    """The inputs of a camera's status beside its frame statistics.

    topic:        the image topic, as ROS resolves its name
    listening:    whether the node subscribes to the image topic, because somebody wants labels
    publishers:   how many publish the image topic
    incompatible: what hinders a publisher of another type or another QoS, or ""
    reliability:  the reliability with which the node subscribes to frames
    waits_for:    what the engine is prepared for meanwhile, and for how long, or ""
    failure:      why it could not be prepared, or ""
    """

    topic: str
    listening: bool
    publishers: int
    incompatible: str
    reliability: str
    waits_for: str = ""
    failure: str = ""


def camera_status(node: str, state: CameraState, frames: FrameReport) -> DiagnosticStatus:
    """One camera's status. WARN if no frames come for its subscribers, or frames are unusable;
    ERROR if the engine could not be prepared for them."""
    level, message = _judge(state, frames)
    found = status(
        f"{node}: {state.topic}",
        level,
        message,
        {
            "frames in": str(frames.received),
            "frames out": str(frames.published),
            "frames dropped": "unknown" if frames.dropped is None else str(frames.dropped),
            "frames waiting for the engine": str(frames.waiting),
            "frames bad": str(frames.bad),
            "frames failed": str(frames.failed),
            "rate (Hz)": number(frames.rate),
            "image age (ms)": number(frames.age_ms[0]),
            "largest image age (ms)": number(frames.age_ms[1]),
            "image age on arrival (ms)": number(frames.waited_ms),
            "size": "x".join(map(str, frames.size)) if frames.size else "unknown",
            "publishers": str(state.publishers),
        },
    )
    found.hardware_id = state.topic
    return found


def _judge(state: CameraState, frames: FrameReport) -> tuple[bytes, str]:
    if not state.listening:
        return OK, "idle: nobody subscribes to labels, confidence or overlay"
    if state.failure:
        return ERROR, state.failure
    if state.waits_for:
        return WARN, f"waiting for the engine, which is prepared for {state.waits_for}"
    if frames.silent_s > frames.patience_s:
        return WARN, _why_silent(state, frames.silent_s)
    if frames.problem:
        return WARN, frames.problem
    # Two digits for a slow camera: 0.33 frames/s.
    rate = f"{frames.rate:.{1 if frames.rate >= 1 else 2}f} frames/s"
    if not frames.undated:
        return OK, rate
    return OK, (
        f"{rate}; the image age is unknown: stamps and clock count different "
        "times, set use_sim_time to true where frames carry simulation time, and see that /clock "
        "is published"
    )


def _why_silent(state: CameraState, seconds: float) -> str:
    silent = f"no image for {seconds:.0f} s on {state.topic}"
    if state.incompatible:
        return f"{silent}: {state.incompatible}"
    if not state.publishers:
        return f"{silent}: nobody publishes it; see that the camera runs and the name is right"
    if state.reliability == "best_effort":
        return (
            f"{silent}, though {state.publishers} publish it: best effort may lose every large "
            "frame; set reliability to reliable, or enlarge the publisher's shared memory"
        )
    return f"{silent}, though {state.publishers} publish it: the publisher sends nothing"
