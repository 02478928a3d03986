# SPDX-License-Identifier: Apache-2.0
"""How benchmarks take times: who has a turn when, and what of it counts."""

import pytest

from benchmarks.timing import in_turns, spread, timed


def test_they_take_turns_and_warm_up_does_not_count() -> None:
    """A contender's n-th turn gives n."""
    turns: list[str] = []

    def contender(name: str) -> list[float]:
        turns.append(name)
        return [float(turns.count(name))]

    contenders = {name: lambda name=name: contender(name) for name in "abc"}
    assert in_turns(contenders, rounds=3, warm_up=2) == {name: [3.0, 4.0, 5.0] for name in "abc"}
    rounds = ["".join(turns[first : first + 3]) for first in range(0, 15, 3)]
    assert ["".join(sorted(names)) for names in rounds] == ["abc"] * 5
    assert len(set(rounds)) > 1


def test_the_first_run_of_a_turn_is_not_counted() -> None:
    runs: list[str] = []
    assert len(timed(runs.append, ["a", "b", "c"])) == 3
    assert "".join(runs) == "aabc"


def test_median_and_95_percent_by_hand() -> None:
    """Of 10, 20, 30 and 40: 25, and 95 % of the way from 10 to 40."""
    found = spread([40.0, 10.0, 30.0, 20.0])
    assert found == {"median_ms": pytest.approx(25), "p95_ms": pytest.approx(38.5)}
