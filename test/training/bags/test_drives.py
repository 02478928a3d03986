# SPDX-License-Identifier: Apache-2.0
"""Where time starts again in a recording, and where a message is only late."""

from carla_unet_ros.training.bags.drives import Moment, find_starts, lay_end_to_end

FRAME, LABELS = False, True


def ticks(*stamps: int) -> list[tuple[bool, int]]:
    """A frame and its label image for each stamp."""
    return [(topic, stamp) for stamp in stamps for topic in (FRAME, LABELS)]


def test_time_that_rises_is_one_drive():
    assert find_starts(ticks(3, 4, 5, 90)) == []


def test_each_return_of_both_topics_begins_a_drive():
    assert find_starts(ticks(3, 4, 5, 3, 4, 1)) == [6, 10]


def test_a_late_message_begins_no_drive():
    assert find_starts([*ticks(3, 4, 5), (FRAME, 2), *ticks(6)]) == []


def test_stamps_that_repeat_begin_no_drive():
    assert find_starts(ticks(0, 0, 0)) == []


def test_a_drive_may_begin_with_messages_of_one_topic():
    assert find_starts([*ticks(3, 4), (FRAME, 1), (FRAME, 2), (LABELS, 2)]) == [4]


def test_drives_follow_one_another_after_a_pause():
    moments = [Moment(0, 30), Moment(0, 35), Moment(1, 2), Moment(1, 7), Moment(2, 3)]
    assert lay_end_to_end(moments, 100) == [30, 35, 135, 140, 240]
