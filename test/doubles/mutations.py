# SPDX-License-Identifier: Apache-2.0
"""Draws damaged forms of good inputs: bytes, and JSON of any shape."""

from typing import Any

from hypothesis import strategies as st

_FEW_BYTES = st.binary(min_size=1, max_size=8)


@st.composite
def mutated(draw: st.DrawFn, *contents: bytes) -> bytes:
    """One of the contents with a few places overwritten, cut out or added, or cut short."""
    data = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(("overwrite", "insert", "cut out", "cut short")))
        if change == "overwrite":
            some = draw(_FEW_BYTES)
            data[place : place + len(some)] = some
        elif change == "insert":
            data[place:place] = draw(_FEW_BYTES)
        elif change == "cut out":
            del data[place : place + draw(st.integers(1, 64))]
        else:
            del data[place:]
    return bytes(data)


NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from((0, -1, 255, 256, 2**31, 2**63, 10**400, float("inf"), float("nan"), 1e308))
)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(), max_size=8),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=8,
)


@st.composite
def changed_json(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with some of its parts replaced by any other value, or left out."""
    if draw(st.integers(0, 12)) == 0:
        return draw(JSON_VALUES)
    if isinstance(value, dict):
        kept = [key for key in value if draw(st.integers(0, 15)) > 0]
        return {key: draw(changed_json(value[key])) for key in kept}
    if isinstance(value, list):
        # The first few only: a legend has many entries that are all alike.
        return [draw(changed_json(entry)) for entry in value[:3]] + value[3:]
    return value
