# SPDX-License-Identifier: Apache-2.0
"""Messages of equal stamps come together; what has no partner is counted and forgotten."""

from carla_unet_ros.ros.stamp_matcher import StampMatcher


def test_only_equal_stamps_make_a_pair_whichever_comes_first() -> None:
    pairs = StampMatcher("labels", "truth")
    assert pairs.add("truth", 100, "truth") is None
    assert pairs.add("labels", 100, "labels") == {"labels": "labels", "truth": "truth"}
    assert pairs.add("labels", 150, "labels") is None
    assert pairs.add("truth", 150, "truth") == {"labels": "labels", "truth": "truth"}
    assert (pairs.unmatched["labels"], pairs.unmatched["truth"]) == (0, 0)


def test_a_stamp_one_nanosecond_off_is_no_pair() -> None:
    pairs = StampMatcher("labels", "truth")
    assert pairs.add("truth", 100, "truth") is None
    assert pairs.add("labels", 101, "labels") is None
    assert pairs.unmatched["truth"] == 1


def test_what_comes_after_its_partner_could_have_is_counted_at_once() -> None:
    pairs = StampMatcher("labels", "truth")
    pairs.add("labels", 150, "labels")
    assert pairs.add("truth", 100, "truth") is None
    assert pairs.unmatched["truth"] == 1
    assert pairs.add("truth", 150, "truth") == {"labels": "labels", "truth": "truth"}
    pairs.add("truth", 250, "truth")
    assert pairs.add("labels", 200, "labels") is None
    assert pairs.unmatched["labels"] == 1
    assert pairs.add("labels", 250, "labels") == {"labels": "labels", "truth": "truth"}
    assert (pairs.unmatched["labels"], pairs.unmatched["truth"]) == (1, 1)


def test_frames_the_node_dropped_are_counted_as_unpaired_truth() -> None:
    pairs = StampMatcher("labels", "truth")
    for stamp in (100, 150, 200, 250):
        pairs.add("truth", stamp, stamp)
    assert pairs.add("labels", 250, "labels") == {"labels": "labels", "truth": 250}
    assert (pairs.unmatched["labels"], pairs.unmatched["truth"]) == (0, 3)


def test_what_waits_is_bounded() -> None:
    pairs = StampMatcher("labels", "truth", limit=3)
    for stamp in range(10):
        pairs.add("truth", stamp, stamp)
    assert pairs.unmatched["truth"] == 7
    assert pairs.add("labels", 6, "labels") is None


def test_time_that_goes_back_begins_a_new_drive() -> None:
    pairs = StampMatcher("labels", "truth")
    pairs.add("truth", 9000, "old")
    pairs.add("labels", 9050, "old")
    assert pairs.add("truth", 50, "new") is None
    assert pairs.add("labels", 50, "new") == {"labels": "new", "truth": "new"}
    assert (pairs.unmatched["labels"], pairs.unmatched["truth"]) == (1, 1)


def test_three_streams_match_once_all_are_there_in_any_order() -> None:
    matcher = StampMatcher("labels", "confidence", "depth")
    assert matcher.add("depth", 50, "d") is None
    assert matcher.add("depth", 100, "d") is None
    assert matcher.add("labels", 100, "l") is None
    matched = matcher.add("confidence", 100, "c")
    assert matched == {"labels": "l", "confidence": "c", "depth": "d"}
    assert matcher.unmatched == {"labels": 0, "confidence": 0, "depth": 1}
    assert matcher.received == {"labels": 1, "confidence": 1, "depth": 2}


def test_one_stream_that_lost_its_item_costs_the_others_theirs() -> None:
    matcher = StampMatcher("labels", "confidence", "depth")
    for stream in ("depth", "labels"):
        matcher.add(stream, 100, stream)
    matcher.add("confidence", 150, "c")
    assert matcher.unmatched == {"labels": 1, "confidence": 0, "depth": 1}
