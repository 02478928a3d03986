# SPDX-License-Identifier: Apache-2.0
"""When a stream is late, at any pace, on a clock set by hand."""

from carla_unet_ros.ros.pace import Pace


class Stream:
    """A stream of one message every `gap` seconds."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pace = Pace(2.0, lambda: self.now)

    def send(self, gap: float, count: int) -> None:
        for _ in range(count):
            self.now += gap
            self.pace.came()

    def late_after(self, seconds: float) -> bool:
        self.now += seconds
        return self.pace.late


def test_before_the_first_message_the_least_silence_is_late():
    stream = Stream()
    assert not stream.late_after(2.0)
    assert stream.late_after(0.1)


def test_the_second_message_may_take_ten_seconds():
    stream = Stream()
    stream.send(0.0, 1)
    assert not stream.late_after(10.0)
    assert stream.late_after(0.1)


def test_a_fast_stream_is_late_after_the_least_silence():
    stream = Stream()
    stream.send(0.05, 20)
    assert not stream.late_after(1.9)
    assert stream.late_after(0.2)


def test_a_slow_stream_is_late_after_three_of_its_gaps():
    stream = Stream()
    stream.send(3.0, 4)
    assert not stream.late_after(9.0)
    assert stream.late_after(0.1)


def test_one_long_pause_does_not_make_a_fast_stream_a_slow_one():
    stream = Stream()
    stream.send(0.05, 20)
    stream.send(60.0, 1)
    stream.send(0.05, 1)
    assert stream.late_after(2.1)


def test_time_in_which_nobody_listened_is_no_gap():
    stream = Stream()
    stream.send(0.05, 20)
    stream.now += 3600
    stream.pace.start_over()
    assert not stream.pace.late
    stream.send(0.0, 1)
    assert stream.late_after(2.1)
