# SPDX-License-Identifier: Apache-2.0
"""Judges topics: who publishes them, of which type and QoS, and what comes."""

from collections.abc import Sequence

import numpy as np

from carla_unet_ros.check.causes import Cause
from carla_unet_ros.check.findings import Finding, fine, problem, unseen, warning
from carla_unet_ros.check.observations import Stream

_LOST_SHARE = 0.05
_ENOUGH = 5
_MOST_NAMES = 4
_MOST_SECONDS_APART = 1.0


def judge_stream(
    subject: str, stream: Stream, least_rate: float, instead: Sequence[str] = ()
) -> Finding:
    """One topic.

    least_rate: messages a second below which they come too rarely
    instead:    topics of the same type, which are named where nobody publishes this one
    """
    topic = stream.topic
    if not stream.publishers:
        others = [name for name in instead if name != topic]
        there = f"; of this type there is {_names(others)}" if others else ""
        return problem(subject, Cause.NOBODY, f"{topic}{there}")
    strange = [entry for entry in stream.publishers if entry.type != stream.type]
    if strange:
        found = f"{strange[0].node} sends {strange[0].type}; expected {stream.type}"
        return problem(subject, Cause.OTHER_TYPE, f"{topic}: {found}")
    misfits = [entry for entry in stream.publishers if entry.misfit]
    if misfits:
        found = f"{topic}: {misfits[0].node}: {misfits[0].misfit}"
        return problem(subject, Cause.OTHER_QOS, found)
    who = _names([entry.node for entry in stream.publishers])
    if not stream.arrivals:
        return problem(subject, Cause.NOTHING_COMES, f"{topic}, from {who}")
    return _judge_messages(subject, stream, least_rate, who)


def _judge_messages(subject: str, stream: Stream, least_rate: float, who: str) -> Finding:
    rate = f"{stream.rate:.1f} a second"
    found = f"{stream.topic}: {rate}, from {who}"
    if len(stream.arrivals) > 1 and stream.rate < least_rate:
        return warning(subject, Cause.SLOW, f"{found}; expected {least_rate:g} at least")
    if (lost := lost_share(stream.stamps)) > _LOST_SHARE:
        return warning(subject, Cause.LOST, f"{found}; by their stamps {lost:.0%} are lost")
    return fine(subject, found)


def lost_share(stamps: Sequence[int]) -> float:
    """The share of messages that is missing between the first and the last stamp, 0..1.

    The median distance of neighbours is taken for the camera's own; 0 for fewer than five stamps
    and for stamps that do not grow.
    """
    distances = np.diff(np.asarray(stamps, np.int64))
    if len(stamps) < _ENOUGH or distances.min() <= 0:
        return 0.0
    expected = round((stamps[-1] - stamps[0]) / float(np.median(distances))) + 1
    return max(0.0, 1.0 - len(stamps) / expected)


def judge_clock(clock: Stream, least_rate: float) -> Finding:
    """/clock: one publisher, and time that runs."""
    found = judge_stream("/clock", clock, least_rate)
    if found.cause not in (None, Cause.SLOW, Cause.LOST):
        return found
    if len(clock.publishers) > 1:
        who = _names([entry.node for entry in clock.publishers])
        return problem("/clock", Cause.TWO_CLOCKS, who)
    if len(clock.stamps) > 1 and clock.stamps[-1] == clock.stamps[0]:
        seconds = clock.arrivals[-1] - clock.arrivals[0]
        return problem("/clock", Cause.CLOCK_STANDS, f"for {seconds:.1f} s")
    # A server that is not synchronous sends thousands, and a reader may lose some of them.
    return fine("/clock", found.detail) if found.cause is Cause.LOST else found


def judge_stamps(frames: Stream, clock: Stream) -> Finding:
    """Whether the frames are stamped in the time of /clock."""
    if not frames.stamps or not clock.stamps:
        missing = "frames" if not frames.stamps else "/clock"
        return unseen("stamps", f"nothing came on {missing}")
    apart = _distance(frames.stamps[-1], clock.stamps) / 1e9
    found = f"the newest frame is {apart:.2f} s away from the times that /clock told"
    if apart > _MOST_SECONDS_APART:
        return problem("stamps", Cause.OTHER_TIME, found)
    return fine("stamps", found)


def judge_pairs(frames: Stream, truth: Stream) -> Finding:
    """Whether frames and truth share stamps, as evaluation and recording need."""
    if not frames.stamps or not truth.stamps:
        return unseen("pairs", f"nothing came on {(truth if frames.stamps else frames).topic}")
    common = set(frames.stamps) & set(truth.stamps)
    found = (
        f"{len(common)} stamps in common, of {len(frames.stamps)} frames and "
        f"{len(truth.stamps)} images of the truth"
    )
    # Of two or three messages, none may have its partner yet.
    if not common and min(len(frames.stamps), len(truth.stamps)) < _ENOUGH:
        return unseen("pairs", f"{found}: too few to say")
    return fine("pairs", found) if common else problem("pairs", Cause.NO_PAIRS, found)


def _distance(stamp: int, times: Sequence[int]) -> int:
    """Nanoseconds from a stamp to the span of these times, 0 inside it."""
    return max(0, min(times) - stamp, stamp - max(times))


def _names(names: Sequence[str]) -> str:
    kept = sorted(set(names))
    more = f" and {len(kept) - _MOST_NAMES} more" if len(kept) > _MOST_NAMES else ""
    return ", ".join(kept[:_MOST_NAMES]) + more
