"""Boundary IoU (Cheng et al. 2021, arXiv:2103.16562): IoU of the seams of a class alone.

IoU of a large region hardly notices a frayed edge, for the inside outweighs it. Here only pixels
of a class within a distance d of its contour count, in the truth and in the prediction. What is
nowhere wider than 2 d is all seam, and its boundary IoU is its IoU.
"""

import cv2
import numpy as np
import numpy.typing as npt

from carla_unet_ros.labels import IGNORE, Uint8

_BOX = np.ones((3, 3), np.uint8)


def boundary(mask: Uint8, distance: int) -> Uint8:
    """The pixels (1, else 0) of a mask (1, else 0) within a distance of its contour.

    Distances count diagonal steps as one. The border of the picture is contour, too, as in the
    authors' own code.
    """
    inside = cv2.erode(
        mask, _BOX, iterations=distance, borderType=cv2.BORDER_CONSTANT, borderValue=(0,)
    )
    return mask - np.asarray(inside, np.uint8)


def distance_of(text: str, height: int, width: int) -> int:
    """Pixels that "3" or, of the diagonal of a picture, "2%" mean; at least one.

    ValueError that says what was expected for any other text. The paper takes 2 %.
    """
    number = text.removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is no distance; expected pixels, as 3, or per cent, as 2%")
    whole = value if number == text else value / 100 * float(np.hypot(height, width))
    return max(1, round(whole))


class BoundaryIoU:
    """Sums seams over frames and divides once at the end, as `ConfusionMatrix` does for regions.

    pixels: of each class in the truth, int64 [classes]
    seams:  those of them within the distance of a contour
    """

    def __init__(self, classes: int, distance: int) -> None:
        self.distance = distance
        self.pixels: npt.NDArray[np.int64] = np.zeros(classes, np.int64)
        self.seams: npt.NDArray[np.int64] = np.zeros(classes, np.int64)
        self._shared: npt.NDArray[np.int64] = np.zeros(classes, np.int64)
        self._either: npt.NDArray[np.int64] = np.zeros(classes, np.int64)

    def add(self, truth: Uint8, prediction: Uint8) -> None:
        """Counts label images of one shape. Where the truth is IGNORE, no class is predicted."""
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape}, prediction is {prediction.shape}")
        prediction = np.where(truth == IGNORE, np.uint8(IGNORE), prediction)
        for label in np.union1d(np.unique(truth), np.unique(prediction)):
            if label == IGNORE:
                continue
            true, called = (
                boundary((image == label).astype(np.uint8), self.distance)
                for image in (truth, prediction)
            )
            self.pixels[label] += np.count_nonzero(truth == label)
            self.seams[label] += np.count_nonzero(true)
            self._shared[label] += np.count_nonzero(true & called)
            self._either[label] += np.count_nonzero(true | called)

    def iou(self) -> npt.NDArray[np.float64]:
        """Boundary IoU of each class; NaN for one that is neither in the truth nor predicted."""
        return _ratio(self._shared, self._either)

    def mean_iou(self) -> float:
        """The mean over the classes that occur in the truth; NaN before any pixel was counted."""
        present = self.pixels > 0
        return float(self.iou()[present].mean()) if present.any() else float("nan")

    def thinness(self) -> npt.NDArray[np.float64]:
        """Share of a class's true pixels that are seam, 1 for the thinnest; NaN without any."""
        return _ratio(self.seams, self.pixels)


def _ratio(part: npt.NDArray, whole: npt.NDArray) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
