# SPDX-License-Identifier: Apache-2.0
"""How long a fuzz runs, and how much memory one may take.

`make test` tries a fixed number of inputs, the same at each run. FUZZ_EXAMPLES=N tries N random
ones for each test; hypothesis then shows the smallest input that fails, and how to repeat it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_FIXED_EXAMPLES = 60
_SECONDS_AN_INPUT = 10
_LARGEST_GROWTH = 1.5 * 2**30
"""Bytes: a picture of LARGEST_PICTURE pixels, its mask and their copies."""

_RUN = Path("/proc/self")

settings.register_profile(
    "fixed",
    max_examples=_FIXED_EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,  # the machine may be busy
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "long",
    settings.get_profile("fixed"),
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "1")),
    derandomize=False,
    deadline=1000 * _SECONDS_AN_INPUT,
)
settings.load_profile("long" if "FUZZ_EXAMPLES" in os.environ else "fixed")


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """Fails a fuzz in which one input took memory out of all proportion."""
    (_RUN / "clear_refs").write_text("5")  # the peak is counted from here
    before = _peak()
    yield
    assert _peak() - before < _LARGEST_GROWTH


def _peak() -> int:
    """The largest resident size of this process so far, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", (_RUN / "status").read_text())
    assert found
    return int(found[1]) * 1024
