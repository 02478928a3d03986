# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the closed loop: drives of a metre, by the truth and by the shipped model."""

from pathlib import Path

import pytest

from benchmarks.closed_loop.__main__ import main

pytestmark = pytest.mark.once


def test_each_street_is_driven_with_the_truth_and_with_the_model(tmp_path: Path):
    document = tmp_path / "performance.md"
    assert main(["--seeds", "1", "--metres", "1", "--document", str(document)]) == 0
    rows = [line for line in document.read_text().splitlines() if line.startswith("| ")]
    assert rows[2].startswith("| 0 | downtown | 1 | ")
    assert rows[2].count("drove all the way") == 2
    assert rows[3:] == ["| mean |  | 1 |  |  | 1 |  |  |", "| least |  | 1 |  |  | 1 |  |  |"]
