# SPDX-License-Identifier: Apache-2.0
"""The confusion matrix against numbers worked out by hand."""

import numpy as np
import pytest

from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix


def image(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)


def matrix_of_two_frames() -> ConfusionMatrix:
    """Class 0: 5 hits, 1 missed, 1 false. Class 1: 2 hits, 1 missed, 1 false. Class 2: unseen."""
    matrix = ConfusionMatrix(3)
    matrix.add(image([0, 0, 0, 1]), image([0, 0, 1, 1]))
    matrix.add(image([0, 0, 0], [1, 1, 255]), image([0, 0, 0], [1, 0, 2]))
    return matrix


def test_iou_by_hand() -> None:
    iou = matrix_of_two_frames().iou()
    assert iou[0] == pytest.approx(5 / 7)
    assert iou[1] == pytest.approx(2 / 4)
    assert np.isnan(iou[2])


def test_mean_iou_is_over_the_classes_in_the_truth() -> None:
    matrix = matrix_of_two_frames()
    assert matrix.mean_iou() == pytest.approx((5 / 7 + 2 / 4) / 2)
    matrix.add(image([0]), image([2]))  # class 2 predicted, never true: it costs class 0 alone
    assert matrix.iou()[2] == 0
    assert matrix.mean_iou() == pytest.approx((5 / 8 + 2 / 4) / 2)


def test_pixel_accuracy_leaves_out_ignored_pixels() -> None:
    assert matrix_of_two_frames().pixel_accuracy() == pytest.approx(7 / 9)


def test_f_scores_by_hand() -> None:
    """Class 0: precision and recall 5/6, so every F is 5/6; class 1 likewise 2/3."""
    for beta in (0.5, 1.0, 2.0):
        assert matrix_of_two_frames().f_score(beta)[:2] == pytest.approx([5 / 6, 2 / 3])


def test_f_beta_weighs_recall() -> None:
    """One hit, three missed, none false: F2 = 5 / (5 + 4 * 3), F0.5 = 1.25 / (1.25 + 0.25 * 3)."""
    matrix = ConfusionMatrix(2)
    matrix.add(image([1, 1, 1, 1, 0]), image([1, 0, 0, 0, 0]))
    assert matrix.f_score(2.0)[1] == pytest.approx(5 / 17)
    assert matrix.f_score(0.5)[1] == pytest.approx(1.25 / 2)


def test_nothing_counted_is_not_a_number_rather_than_zero() -> None:
    matrix = ConfusionMatrix(3)
    matrix.add(image([255, 255]), image([0, 1]))
    assert np.isnan(matrix.mean_iou())
    assert np.isnan(matrix.pixel_accuracy())


def test_sums_of_matrices_are_matrices_of_sums() -> None:
    total = ConfusionMatrix(3)
    total += matrix_of_two_frames()
    total += matrix_of_two_frames()
    np.testing.assert_array_equal(total.counts, 2 * matrix_of_two_frames().counts)


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([0, 0], [0, 0, 0], "truth is"),
        ([0, 3], [0, 0], r"\[3\] are no class"),
        ([0, 0], [0, 255], r"\[255\] are no class"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    truth: list[int], prediction: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ConfusionMatrix(3).add(image(truth), image(prediction))
