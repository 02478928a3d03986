# SPDX-License-Identifier: Apache-2.0
"""Counts, rates and ages of frames, on a clock set by hand."""

import math

from pytest import approx

from carla_unet_ros.segmentation.frame_statistics import FrameStatistics

SIZE = 64, 48


class HandClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_gap_in_the_publishers_numbers_is_the_frames_dropped() -> None:
    statistics = FrameStatistics()
    for number in (5, 6, 9, 10):
        statistics.arrived(number)
        statistics.began(0.0)
    report = statistics.report()
    assert report.received == 4
    assert report.dropped == 2


def test_a_frame_that_was_replaced_is_dropped_and_not_received() -> None:
    statistics = FrameStatistics()
    for number in (5, 6, 9):  # 6 replaces 5, 7 and 8 are missing, 9 replaces 6
        statistics.arrived(number)
    statistics.replaced()
    statistics.replaced()
    statistics.began(0.0)
    report = statistics.report()
    assert report.received == 1
    assert report.dropped == 2 + 2


def test_frames_that_waited_for_the_engine_are_counted_but_one_that_is_segmented_after_all() -> (
    None
):
    statistics = FrameStatistics()
    for number in range(3):
        statistics.arrived(number)
        statistics.waits()
    assert statistics.report().waiting == 3
    statistics.waited()
    statistics.began(0.0)
    report = statistics.report()
    assert (report.waiting, report.received, report.dropped) == (2, 1, 0)


def test_a_new_publisher_counts_anew() -> None:
    statistics = FrameStatistics()
    statistics.arrived(100)
    statistics.listen()
    statistics.arrived(3)
    statistics.arrived(5)
    assert statistics.report().dropped == 1


def test_without_numbers_the_drops_are_unknown() -> None:
    statistics = FrameStatistics()
    statistics.arrived(None)
    statistics.replaced()
    assert statistics.report().dropped is None


def test_the_rate_is_that_of_the_last_five_seconds() -> None:
    clock = HandClock()
    statistics = FrameStatistics(clock)
    for _ in range(11):
        statistics.published(0.0, SIZE)
        clock.now += 0.1
    assert statistics.report().rate == approx(10)
    clock.now += 6
    assert statistics.report().rate == 0


def test_ages_are_of_the_time_since_the_last_report() -> None:
    statistics = FrameStatistics()
    for waited, age in ((5.0, 30.0), (7.0, 90.0), (6.0, 40.0)):
        statistics.began(waited)
        statistics.published(age, SIZE)
    report = statistics.report()
    assert report.waited_ms == 6
    assert report.age_ms == (40, 90)
    assert math.isnan(statistics.report().age_ms[0])


def test_an_unknown_age_does_not_hide_the_known_ones() -> None:
    statistics = FrameStatistics()
    for age in (math.nan, 30.0, 50.0):
        statistics.began(age)
        statistics.published(age, SIZE)
    report = statistics.report()
    assert (report.waited_ms, report.age_ms, report.undated) == (40, (40, 50), True)
    assert not statistics.report().undated


def test_silence_is_counted_from_the_last_frame_or_the_beginning() -> None:
    clock = HandClock()
    statistics = FrameStatistics(clock)
    clock.now += 3
    assert statistics.report().silent_s == approx(3)
    statistics.arrived(1)
    clock.now += 4  # the engine's time is not the camera's silence
    statistics.published(0.0, SIZE)
    clock.now += 1
    assert statistics.report().silent_s == approx(1)
    statistics.held_back()
    clock.now += 2
    assert statistics.report().silent_s == approx(2)
    statistics.listen()
    assert statistics.report().silent_s == 0


def test_the_size_is_that_of_the_last_frame() -> None:
    statistics = FrameStatistics()
    assert statistics.report().size is None
    statistics.published(0.0, (800, 600))
    statistics.published(0.0, SIZE)
    assert statistics.report().size == SIZE


def test_a_problem_stays_until_a_frame_is_published_and_is_counted_for_good() -> None:
    statistics = FrameStatistics()
    statistics.bad("no data")
    statistics.failed("engine failed")
    for _ in range(2):
        assert statistics.report().problem == "engine failed"
    statistics.published(0.0, SIZE)
    assert statistics.report().problem == "engine failed"  # since the last report
    report = statistics.report()
    assert (report.bad, report.failed, report.problem) == (1, 1, "")


def test_drops_are_known_again_once_messages_have_numbers() -> None:
    statistics = FrameStatistics()
    for number in (1, 3, None, 7, 8, 10):
        statistics.arrived(number)
    assert statistics.report().dropped == 1 + 1


def test_a_camera_of_a_frame_in_three_seconds_has_its_rate_and_is_not_silent() -> None:
    clock = HandClock()
    statistics = FrameStatistics(clock)
    for number in range(6):
        statistics.arrived(number)
        statistics.published(0.0, SIZE)
        for _ in range(3):
            report = statistics.report()
            assert report.silent_s <= report.patience_s
            clock.now += 1
    assert statistics.report().rate == approx(1 / 3)
    clock.now += 7
    report = statistics.report()
    assert report.silent_s > report.patience_s
    assert report.rate == 0


def test_an_unknown_age_is_told_until_a_known_one_comes() -> None:
    statistics = FrameStatistics()
    statistics.began(math.nan)
    assert [statistics.report().undated for _ in range(2)] == [True, True]
    statistics.began(30.0)
    assert [statistics.report().undated for _ in range(2)] == [True, False]
