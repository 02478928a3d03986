# SPDX-License-Identifier: Apache-2.0
"""Live evaluation without ROS: reading the truth, sliding scores."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pytest import approx

from carla_unet_ros.evaluation.live_scores import LiveScores
from carla_unet_ros.evaluation.truth_reader import TruthReader
from carla_unet_ros.evaluation.worst_frames import ScoredFrame, WorstFrames
from carla_unet_ros.labels import IGNORE, LabelClass, LabelSet, Uint8, carla_13, carla_label_set
from carla_unet_ros.labels.legend import Legend, labels_to_publish

BRIDGE = carla_label_set("0.9.13")
NATIVE = carla_label_set("0.9.16")
ROADS, VEHICLES, VEGETATION = 7, 10, 9


def image(*colours: tuple[int, int, int]) -> Uint8:
    """One row of BGRA pixels of these (R, G, B) colours."""
    return np.array([[(*colour[::-1], 255) for colour in colours]], np.uint8)


def legend(output_tags: str = "") -> Legend:
    return Legend(labels_to_publish(carla_13(), output_tags), carla_13(), "tiny", "OpenVINO")


def row(*ids: int) -> Uint8:
    return np.array([ids], np.uint8)


# Truth


def test_palette_colours_and_raw_tags_are_told_apart() -> None:
    reader = TruthReader(BRIDGE)
    assert reader.read(image((128, 64, 128), (0, 0, 142))).tolist() == [[ROADS, VEHICLES]]
    assert reader.found == "palette"
    assert reader.read(image((7, 0, 0), (10, 0, 0))).tolist() == [[ROADS, VEHICLES]]
    assert reader.found == "raw"
    assert reader.unknown_pixels == 0


def test_a_frame_of_riders_alone_is_a_palette_image() -> None:
    reader = TruthReader(NATIVE)
    assert reader.read(image((255, 0, 0), (0, 0, 0))).tolist() == [[13, 0]]
    assert reader.found == "palette"


def test_what_the_truth_holds_can_be_fixed() -> None:
    assert TruthReader(NATIVE, "raw").read(image((14, 0, 0))).tolist() == [[14]]
    assert TruthReader(NATIVE, "palette").read(image((14, 0, 0))).tolist() == [[IGNORE]]


def test_unknown_colours_and_ids_are_ignored_and_reported() -> None:
    reader = TruthReader(BRIDGE)
    assert reader.read(image((128, 64, 128), (1, 2, 3))).tolist() == [[ROADS, IGNORE]]
    assert (reader.unknown_pixels, reader.pixels) == (1, 2)
    assert reader.example == "colour (1, 2, 3)"
    assert reader.read(image((23, 0, 0), (7, 0, 0))).tolist() == [[IGNORE, ROADS]]
    assert reader.example == "tag 23"


# Scores


def test_the_window_slides_and_the_total_stays() -> None:
    scores = LiveScores(legend(), carla_13(), window=2)
    scores.add(row(ROADS, ROADS), row(VEHICLES, VEHICLES))
    scores.add(row(ROADS, ROADS), row(ROADS, VEHICLES))
    assert scores.window.mean_iou() == approx(1 / 4)  # 1 hit of 4
    scores.add(row(ROADS, ROADS), row(ROADS, ROADS))
    assert scores.window.mean_iou() == approx(3 / 4)
    assert scores.total.mean_iou() == approx(3 / 6)
    assert (scores.pairs, scores.window_pairs) == (3, 2)


def test_each_pair_has_a_score_of_its_own() -> None:
    scores = LiveScores(legend(), carla_13(), window=10)
    # Roads: 2 hits, 1 vegetation taken for road: 2 / 3. Vegetation: none of 1.
    truth, labels = row(ROADS, ROADS, VEGETATION), row(ROADS, ROADS, ROADS)
    assert scores.add(truth, labels) == approx((2 / 3 + 0) / 2)


def test_finer_truth_is_scored_in_the_models_classes() -> None:
    scores = LiveScores(legend(), NATIVE, window=10)
    truck, sky, road = NATIVE.ids(["Truck", "Sky", "Roads"])
    # Sky is what the 13 classes leave unlabelled.
    assert scores.add(row(truck, sky, road), row(VEHICLES, 0, ROADS)) == 1


def test_ids_of_output_tags_are_scored_as_the_models_classes() -> None:
    scores = LiveScores(legend("0.9.15"), BRIDGE, window=10)
    roads, car = NATIVE.ids(["Roads", "Car"])
    assert scores.add(row(ROADS, VEHICLES), row(roads, car)) == 1


def test_pixels_of_the_unknown_class_do_not_count() -> None:
    certain = Legend(carla_13(), carla_13(), "tiny", "OpenVINO", min_confidence=0.6)
    scores = LiveScores(certain, BRIDGE, window=10)
    assert scores.add(row(ROADS, VEHICLES, ROADS), row(ROADS, IGNORE, IGNORE)) == 1
    assert scores.total.counts.sum() == 1


def test_sizes_that_differ_and_ids_without_a_class_count_for_nothing() -> None:
    scores = LiveScores(legend(), BRIDGE, window=10)
    with pytest.raises(ValueError, match="truth is"):
        scores.add(row(ROADS, ROADS), row(ROADS))
    with pytest.raises(ValueError, match=r"\[255\] are no class"):
        scores.add(row(ROADS), row(99))
    assert scores.pairs == 0
    assert scores.total.counts.sum() == 0


def test_truth_that_shares_no_class_with_the_model_is_refused() -> None:
    other = LabelSet("other", "none", (LabelClass(0, "Cats", (1, 2, 3)),))
    odd = Legend(other, other, "tiny", "OpenVINO")
    with pytest.raises(ValueError, match="is a class of other: Cats"):
        LiveScores(odd, BRIDGE, window=1)


# The worst frames


def scored(number: int, mean_iou: float) -> ScoredFrame:
    classes = np.full((6, 8), ROADS, np.uint8)
    return ScoredFrame(number, number * 10**9, mean_iou, classes, classes)


def test_the_worst_frames_are_kept_one_of_each_stretch() -> None:
    worst = WorstFrames(count=2, apart=10)
    assert worst.offer(scored(1, 0.5))
    assert not worst.offer(scored(2, 0.6))  # near a worse one
    assert worst.offer(scored(3, 0.4))  # replaces its neighbour
    assert worst.offer(scored(50, 0.7))
    assert not worst.offer(scored(90, 0.8))  # two are worse
    assert worst.offer(scored(120, 0.1))
    assert [(frame.number, frame.mean_iou) for frame in worst.frames] == [(120, 0.1), (3, 0.4)]


def test_the_picture_shows_frame_truth_and_labels_of_each(tmp_path: Path) -> None:
    worst = WorstFrames()
    frame = scored(1, 0.5)
    frame.image = np.full((6, 8, 4), 200, np.uint8)
    worst.offer(frame)
    worst.write(tmp_path / "worst.png", carla_13())
    picture = cv2.imread(str(tmp_path / "worst.png"))
    assert picture is not None
    assert picture.shape == (360, 3 * 480, 3)
    assert picture[300, 200].tolist() == [200, 200, 200]
    assert picture[300, 700].tolist() == [128, 64, 128]
    assert picture[300, 1200].tolist() == [128, 64, 128]


def test_a_frame_that_is_very_wide_has_a_row_of_one_pixel(tmp_path: Path) -> None:
    wide = np.zeros((1, 1920), np.uint8)
    worst = WorstFrames()
    worst.offer(ScoredFrame(1, 0, 0.5, wide, wide))
    worst.write(tmp_path / "worst.png", carla_13())
    picture = cv2.imread(str(tmp_path / "worst.png"))
    assert picture is not None
    assert picture.shape == (1, 3 * 480, 3)


def test_without_frames_no_picture_is_written(tmp_path: Path) -> None:
    WorstFrames().write(tmp_path / "worst.png", carla_13())
    assert not list(tmp_path.iterdir())


def test_a_picture_is_of_the_moment_of_its_labels_also_when_time_starts_again() -> None:
    """One of the old time may have the stamp of a frame of the new time, and the reverse."""
    picture = np.zeros((4, 4, 3), np.uint8)
    worst = WorstFrames(apart=1)
    early, late, again = scored(1, 0.1), scored(2, 0.2), scored(3, 0.3)
    worst.add_image(early.stamp, lambda: picture)
    assert worst.offer(early) and worst.offer(late)
    assert early.image is picture and late.image is None
    worst.start_over()
    again.stamp = early.stamp
    assert worst.offer(again)
    assert again.image is None
    worst.add_image(late.stamp, lambda: picture)
    worst.add_image(again.stamp, lambda: picture)
    assert late.image is None and again.image is picture
