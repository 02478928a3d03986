# SPDX-License-Identifier: Apache-2.0
"""benchmarks.node.batch: what it compares is the same work."""

import numpy as np

from benchmarks.node.batch import runner


def test_a_batch_gives_the_answers_of_single_frames() -> None:
    one_by_one, at_once = (np.concatenate(runner(2, batch)(None)) for batch in (1, 2))
    assert one_by_one.shape[0] == 2
    assert one_by_one.std() > 0.1
    np.testing.assert_array_equal(one_by_one, at_once)
