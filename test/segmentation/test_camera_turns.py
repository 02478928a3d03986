"""Whose turn it is: the newest frame of the camera that has waited longest."""

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


def test_a_newer_frame_takes_the_place_of_the_one_that_waits() -> None:
    turns = turns_of("front")
    turns.wait("front", 1)
    turns.wait("front", 2)
    assert turns.take() == ("front", 2)
    assert turns.take() is None


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


def test_who_leaves_is_forgotten_with_its_frame() -> None:
    turns = turns_of("front", "rear")
    turns.wait("front", 1)
    turns.leave("front")
    turns.leave("front")
    assert len(turns) == 1
    assert turns.take() is None
    with pytest.raises(KeyError):
        turns.wait("front", 2)
