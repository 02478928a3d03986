# SPDX-License-Identifier: Apache-2.0
"""Validation is whole stretches of the drive, with nothing of them in training."""

import pytest

from carla_unet_ros.training.data.splits import split_in_blocks


def test_blocks_are_spread_and_gaps_belong_to_neither():
    # 100 frames, one a second: two blocks of ten frames around 25 and 75, three seconds apart.
    train, val = split_in_blocks(range(100), share=0.2, blocks=2, gap=3.0)
    assert val == [*range(20, 30), *range(70, 80)]
    assert train == [*range(17), *range(33, 67), *range(83, 100)]


def test_the_gap_is_time_and_not_frames():
    times = [0, 1, 2, 3, 10, 10.5, 11, 20, 21, 22]
    train, val = split_in_blocks(times, share=0.2, blocks=1, gap=1.0)
    assert val == [4, 5]
    assert train == [0, 1, 2, 3, 7, 8, 9]


@pytest.mark.parametrize(
    ("share", "blocks", "gap"), [(0.2, 1, 100.0), (0.01, 1, 0.0), (0.2, 9, 0)]
)
def test_a_split_that_leaves_one_side_empty_is_refused(share: float, blocks: int, gap: float):
    with pytest.raises(ValueError, match="10 frames cannot be split"):
        split_in_blocks(range(10), share, blocks, gap)
