# SPDX-License-Identifier: Apache-2.0
"""When frames are due, in nanoseconds worked out by hand."""

from carla_unet_ros.stand_in.frame_pace import FramePace

MS = 10**6


def test_frames_on_time_stay_on_the_grid():
    pace = FramePace(20.0)
    assert pace.wait(1000 * MS) == 0
    assert pace.wait(1010 * MS) == 40 * MS
    assert pace.wait(1099 * MS) == 1 * MS
    assert pace.wait(1101 * MS) == 49 * MS


def test_a_third_of_a_second_does_not_drift():
    pace = FramePace(3.0)
    now = 0
    for _ in range(3001):
        now += pace.wait(now)
    assert now == 1000 * 10**9


def test_a_late_frame_comes_at_once_and_shifts_the_rest():
    pace = FramePace(20.0)
    pace.wait(0)
    assert pace.wait(70 * MS) == 0
    assert pace.wait(80 * MS) == 40 * MS
    assert pace.wait(500 * MS) == 0
    assert pace.wait(500 * MS) == 50 * MS
