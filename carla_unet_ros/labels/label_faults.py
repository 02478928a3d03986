# SPDX-License-Identifier: Apache-2.0
"""What is known to be wrong with the labels of CARLA versions; docs/carla.md has the same table.

Read in the issues of github.com/carla-simulator/carla: 9356 (corrected by pull 9423, after
0.9.16), 8297 and 8559.
"""

import re

FAULTS = {
    "0.9.16": "traffic lights and signs that are part of Town01 to Town10HD very likely carry "
    "other tags",
    "0.10.0": "its semantic camera has faults",
}


def describe_label_faults(version: str) -> str:
    """A sentence of warning, "" where nothing is known.

    version: a release, with or without what a build adds, or a span that ends with one
    """
    named = re.findall(r"\d+\.\d+\.\d+", version) if version[:1].isdigit() else []
    known = [f"CARLA {release}: {FAULTS[release]}" for release in named if release in FAULTS]
    if not known:
        return ""
    return f"known fault of the labels of {known[0]}: look at some of them before you train"
