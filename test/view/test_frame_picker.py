# SPDX-License-Identifier: Apache-2.0
"""Which frames are shown: few enough, and with everything of their stamp."""

from carla_unet_ros.view.frame_picker import FramePicker

MS = 10**6


def shown(picker: FramePicker, *pictures: tuple[str, int]) -> list[tuple[int, list[str]]]:
    """What is shown after each picture, where it is anything; stamps in milliseconds."""
    found = ((at, picker.add(stream, at * MS, stream)) for stream, at in pictures)
    return [(at, sorted(together)) for at, together in found if together]


def test_pictures_of_one_stamp_are_shown_together_and_late_ones_after_them() -> None:
    pictures = [("frame", 50), ("truth", 50), ("labels", 50), ("grid", 50)]
    picker = FramePicker(100 * MS)
    picker.add("labels", 0, "labels")
    assert shown(picker, *pictures) == []  # 50 ms after the last one
    pictures = [("frame", 100), ("truth", 100), ("labels", 100), ("grid", 100)]
    assert shown(picker, *pictures) == [(100, ["frame", "labels", "truth"]), (100, ["grid"])]


def test_frames_without_labels_are_shown_too() -> None:
    picker = FramePicker(100 * MS)
    assert shown(picker, ("frame", 0), ("frame", 50), ("frame", 100)) == [
        (0, ["frame"]),
        (100, ["frame"]),
    ]
    assert (picker.shown, picker.skipped) == (2, 1)


def test_a_frame_that_gets_no_labels_is_passed_over() -> None:
    picker = FramePicker(100 * MS)
    picker.add("labels", 0, "labels")
    late = [("frame", 100), ("frame", 150), ("labels", 150)]
    assert shown(picker, *late) == [(150, ["frame", "labels"])]


def test_frames_are_shown_again_two_seconds_after_the_last_labels() -> None:
    picker = FramePicker(100 * MS)
    picker.add("labels", 0, "labels")
    assert shown(picker, ("frame", 2000), ("frame", 2050)) == [(2050, ["frame"])]


def test_what_waits_for_labels_that_never_come_is_dropped() -> None:
    picker = FramePicker(100 * MS)
    picker.add("labels", 0, "labels")
    shown(picker, *(("frame", at) for at in range(50, 1050, 50)))
    # The last ten stamps wait: 550 to 1000.
    assert shown(picker, ("labels", 500)) == [(500, ["labels"])]
    assert shown(picker, ("labels", 600)) == [(600, ["frame", "labels"])]


def test_time_that_starts_again_is_noticed_once() -> None:
    picker = FramePicker(100 * MS)
    picker.add("frame", 5000 * MS, "frame")
    assert not picker.restarted("frame", 5000 * MS)
    assert not picker.restarted("truth", 4000 * MS)  # another stream, late
    assert picker.restarted("frame", 0)
    assert not picker.restarted("frame", 0)
    assert shown(picker, ("frame", 0)) == [(0, ["frame"])]
