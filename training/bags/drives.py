# SPDX-License-Identifier: Apache-2.0
"""Finds where time starts again in a recording: the simulator has loaded another world.

The same stamps then mean other moments, so each stretch is a drive of its own.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Moment(NamedTuple):
    """A stamp (ns) in one drive of a recording; drives are counted from 0."""

    drive: int
    stamp: int


def find_starts(messages: Sequence[tuple[bool, int]]) -> list[int]:
    """Places of the messages at which a further drive begins; none in most recordings.

    messages: topic (False or True) and stamp (ns) of each message of two topics, in their order

    Time starts again where both topics go back: a message of one topic alone is a late one.
    """
    starts: list[int] = []
    newest = {False: -math.inf, True: -math.inf}
    following = _following_of_the_other(messages)
    for place, (topic, stamp) in enumerate(messages):
        other = following[place]
        if stamp < newest[topic] and other is not None and other < newest[not topic]:
            starts.append(place)
            newest = {False: -math.inf, True: -math.inf}
        newest[topic] = max(newest[topic], stamp)
    return starts


def lay_end_to_end(moments: Sequence[Moment], pause: int) -> list[int]:
    """Times (ns) that rise strictly: each drive begins `pause` ns after the end of the one before.

    moments: rising
    """
    times: list[int] = []
    shift = 0
    for place, moment in enumerate(moments):
        if place and moment.drive != moments[place - 1].drive:
            shift = times[-1] + pause - moment.stamp
        times.append(moment.stamp + shift)
    return times


def _following_of_the_other(messages: Sequence[tuple[bool, int]]) -> list[int | None]:
    """For each message, the stamp of the next message of the other topic, or None."""
    found: list[int | None] = []
    next_of: dict[bool, int | None] = {False: None, True: None}
    for topic, stamp in reversed(messages):
        found.append(next_of[not topic])
        next_of[topic] = stamp
    return found[::-1]
