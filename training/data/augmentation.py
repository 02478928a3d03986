# SPDX-License-Identifier: Apache-2.0
"""Augments frames with kornia, so that one street in one light looks like many.

    frame float [3, H, W] in 0..1, labels uint8 [H, W]  ->  the same, crop size

Nets of this size overfit the light and the lens long before they overfit the streets, so changes
of light are strong. Changes of geometry stay within what a car's camera can see: rotations of a
few degrees, never upside down.
"""

import warnings
from typing import cast

import cv2
import torch
from torch import Tensor

from carla_unet_ros.labels import IGNORE, Uint8
from carla_unet_ros.training.data.mixing import is_drawn, mask_classes
from carla_unet_ros.training.data.rare_classes import NOTHING_RARE, RareClasses
from carla_unet_ros.training.data.weather import CLEAR, Weather

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations inside kornia, of no use to our users
    import kornia.augmentation as K
    from kornia.augmentation.container.params import ParamItem
    from kornia.constants import DataKey, Resample

_DRAWS = 6


class Augmentation:
    """Random crop, scale, flip, light, weather, blur and noise, from torch's random state.

    width, height: size of the crops
    scale: share of the frame's area a crop shows; at 800x600 and crops of 512x384 the range
           0.15..1 shows objects at 0.6 to 1.7 times their size
    rare:  the rare classes, and how often to search for them
    relit: share of the frames where each class gets a light of its own
    weather: night, fog, low sun, wet ground, the own bonnet, and how often
    """

    def __init__(
        self,
        width: int,
        height: int,
        scale: tuple[float, float] = (0.15, 1.0),
        rare: RareClasses = NOTHING_RARE,
        relit: float = 0.0,
        weather: Weather = CLEAR,
    ) -> None:
        self.width, self.height = width, height
        self._rare = rare
        self._weather = weather
        self._relit = relit
        self._crop = _frame_and_labels(
            K.RandomResizedCrop(
                (height, width), scale=scale, ratio=(0.9, 1.9), cropping_mode="slice"
            ),
            K.RandomHorizontalFlip(),
        )
        # kornia computes every transform, and drops some of them by their p afterwards. Drawing
        # first and computing only what was drawn takes a third of the time.
        self._rotation = 0.15, _frame_and_labels(K.RandomRotation(4.0, p=1.0))
        self._light = (
            (0.5, K.ColorJitter(0.4, 0.4, 0.5, 0.06, p=1.0)),
            (0.3, K.RandomGamma((0.5, 1.7), (1.0, 1.0), p=1.0)),
            (0.1, K.RandomPlasmaShadow((0.2, 0.6), (-0.5, -0.1), p=1.0)),
            (0.3, K.RandomRGBShift(0.1, 0.1, 0.1, p=1.0)),
            (0.08, K.RandomGrayscale(p=1.0)),
            (0.2, K.RandomGaussianBlur((5, 5), (0.3, 2.0), p=1.0)),
            (0.25, K.RandomGaussianNoise(std=0.04, p=1.0)),
        )

    def __call__(self, frame: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        # Rotation fills corners with 0. Labels are shifted by one, so that these become IGNORE.
        shifted = (labels.float() + 1)[None, None]
        frame, shifted = self._crop(frame[None], shifted, params=self._place(labels))
        share, rotation = self._rotation
        if is_drawn(share):
            frame, shifted = rotation(frame, shifted)
        labels = shifted[0, 0].round().long() - 1
        labels = torch.where(labels < 0, IGNORE, labels)
        if is_drawn(self._relit):
            frame = relight(frame, labels)
        for share, change in self._light:
            if is_drawn(share):
                frame = change(frame)
        return self._weather(frame[0].clamp(0, 1), labels)

    def _place(self, labels: Tensor) -> list[ParamItem]:
        """Draws a crop and a flip; sometimes takes the best of several draws."""
        shape = torch.Size((1, 3, *labels.shape))
        draws = [
            self._crop.forward_parameters(shape)
            for _ in range(_DRAWS if is_drawn(self._rare.crops) else 1)
        ]
        if len(draws) == 1:
            return draws[0]
        rare = torch.from_numpy(mask_classes(labels.numpy(), self._rare.ids))
        return max(draws, key=lambda draw: int(rare[_rows_and_columns(draw)].sum()))


def relight(frame: Tensor, labels: Tensor) -> Tensor:
    """Gives each class a light of its own: frame (1, 3, H, W), labels int64 [H, W] -> frame.

    Changes the brightness and, a little, the colour of each class. Otherwise a net may learn that
    the darker of two surfaces is the road, which is wrong in the next town.
    """
    strength = 1 + (torch.rand(256, 1) - 0.5) + 0.3 * (torch.rand(256, 3) - 0.5)
    offset = 0.2 * (torch.rand(256, 1) - 0.5)
    return (frame * strength.T[:, labels] + offset.T[:, labels]).clamp(0, 1)


def _frame_and_labels(*transforms: torch.nn.Module) -> K.AugmentationSequential:
    """Applies the same geometry to both. Labels are resampled without interpolation."""
    return K.AugmentationSequential(
        *transforms,  # pyright: ignore[reportArgumentType]  # kornia's hints lack its own classes
        data_keys=["input", "mask"],
        extra_args={DataKey.MASK: {"resample": Resample.NEAREST, "align_corners": None}},
    )


def _rows_and_columns(draw: list[ParamItem]) -> tuple[slice, slice]:
    """The rectangle of a crop, from the corners in its parameters."""
    box = cast(dict[str, Tensor], draw[0].data)["src"]
    (left, top), (right, bottom) = box[0, [0, 2]].int().tolist()
    return slice(top, bottom + 1), slice(left, right + 1)


def to_tensors(frame: Uint8, labels: Uint8) -> tuple[Tensor, Tensor]:
    """A pair as read, B, G, R -> frame float [3, H, W] in R, G, B, 0..1, and labels [H, W]."""
    colours = torch.from_numpy(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
    return colours.float().div_(255), torch.from_numpy(labels)
