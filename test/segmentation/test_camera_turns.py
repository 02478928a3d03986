# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is: that of the camera that has waited longest, with its newest frame."""

import pytest

from carla_unet_ros.segmentation.camera_turns import CameraTurns


def turns_of(*cameras: str) -> CameraTurns[str, int]:
    turns = CameraTurns[str, int]()
    for camera in cameras:
        turns.join(camera)
    return turns


def test_without_a_frame_it_is_nobodys_turn() -> None:
    assert turns_of().take() is None
    assert turns_of("front").take() is None
    assert not turns_of("front").waiting


def test_a_newer_frame_replaces_the_one_that_waits() -> None:
    turns = turns_of("front")
    assert not turns.wait("front", 1)
    assert turns.waiting
    assert turns.wait("front", 2)
    assert turns.take() == ("front", 2)
    assert not turns.waiting
    assert not turns.wait("front", 3)


def test_the_camera_whose_turn_is_longest_ago_is_served_first() -> None:
    turns = turns_of("front", "rear", "left")
    for camera in ("left", "rear", "front"):
        turns.wait(camera, 1)
    assert [turns.take() for _ in range(3)] == [("front", 1), ("rear", 1), ("left", 1)]
    # Served in the order front, rear, left: front has waited longest, whoever speaks first.
    turns.wait("left", 2)
    turns.wait("front", 2)
    assert [turns.take() for _ in range(2)] == [("front", 2), ("left", 2)]


def test_with_frames_of_all_at_any_time_all_get_the_same() -> None:
    turns = turns_of("a", "b", "c")
    served = []
    for frame in range(12):
        for camera in ("a", "b", "c"):
            turns.wait(camera, frame)
        turn = turns.take()
        assert turn is not None
        served.append(turn[0])
    assert served == ["a", "b", "c"] * 4


def test_a_newer_frame_gives_no_earlier_and_no_later_turn() -> None:
    turns = turns_of("a", "b")
    turns.wait("a", 1)
    turns.wait("b", 1)
    turns.wait("a", 2)
    assert [turns.take() for _ in range(2)] == [("a", 2), ("b", 1)]


def test_a_silent_camera_keeps_its_place_and_holds_up_nobody() -> None:
    turns = turns_of("silent", "b", "c")
    for frame in range(4):
        turns.wait("b", frame)
        turns.wait("c", frame)
        assert [turns.take() for _ in range(2)] == [("b", frame), ("c", frame)]
    turns.wait("b", 4)
    turns.wait("silent", 0)
    assert turns.take() == ("silent", 0)


def test_only_who_is_not_behind_a_waiting_frame_may_be_next() -> None:
    turns = turns_of("a", "b", "c")

    def may_be_next() -> list[str]:
        return [camera for camera in ("a", "b", "c") if turns.may_be_next(camera)]

    assert may_be_next() == ["a", "b", "c"]
    turns.wait("b", 1)
    assert may_be_next() == ["a", "b"]
    assert turns.is_first("a")
    turns.take()  # now the line is a, c, b
    assert may_be_next() == ["a", "b", "c"]
    turns.wait("c", 1)
    assert may_be_next() == ["a", "c"]
    turns.wait("a", 1)
    assert may_be_next() == ["a"]


def test_who_leaves_is_forgotten_with_its_frame() -> None:
    turns = turns_of("front", "rear")
    turns.wait("front", 1)
    turns.leave("front")
    turns.leave("front")
    assert turns.take() is None
    assert turns.is_first("rear")
    with pytest.raises(KeyError):
        turns.wait("front", 2)


def test_who_comes_back_is_last_in_line() -> None:
    turns = turns_of("front", "rear")
    turns.leave("front")
    turns.join("front")
    turns.wait("front", 1)
    turns.wait("rear", 1)
    assert [turns.take() for _ in range(2)] == [("rear", 1), ("front", 1)]
