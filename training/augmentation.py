"""Augmentation: makes one street under one sky look like many, with kornia.

    frame float [3, H, W] in 0..1, labels uint8 [H, W]  ->  the same, crop size

The nets of this size overfit the light and the lens long before they overfit the streets, so the
photometric part is strong. Geometry stays what a car's camera can see: no rotation by more than
a few degrees, never upside down.
"""

import warnings

import torch
from torch import Tensor

from carla_unet_ros.labels import IGNORE, Uint8

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations inside kornia, of no use to our users
    import kornia.augmentation as K
    from kornia.constants import DataKey, Resample


class Augmentation:
    """Random crop, scale, flip, light, weather, blur and noise, from torch's random state.

    width, height: size of what comes out
    scale: share of the frame's area a crop shows; at 800x600 and crops of 512x384 the range
           0.15..1 shows objects at 0.6 to 1.7 times their size
    """

    def __init__(self, width: int, height: int, scale: tuple[float, float] = (0.15, 1.0)) -> None:
        self._geometry = K.AugmentationSequential(
            K.RandomResizedCrop(
                (height, width), scale=scale, ratio=(0.9, 1.9), cropping_mode="slice"
            ),
            K.RandomRotation(4.0, p=0.15),
            K.RandomHorizontalFlip(),
            data_keys=["input", "mask"],
            extra_args={DataKey.MASK: {"resample": Resample.NEAREST, "align_corners": None}},
        )
        self._light = K.ImageSequential(
            K.ColorJitter(0.4, 0.4, 0.5, 0.06, p=0.5),
            K.RandomGamma((0.5, 1.7), (1.0, 1.0), p=0.3),
            K.RandomPlasmaShadow(roughness=(0.2, 0.6), shade_intensity=(-0.5, -0.1), p=0.1),
            K.RandomRGBShift(0.1, 0.1, 0.1, p=0.3),
            K.RandomGrayscale(p=0.08),
            K.RandomGaussianBlur((5, 5), (0.3, 2.0), p=0.2),
            K.RandomGaussianNoise(std=0.04, p=0.25),
        )

    def __call__(self, frame: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        # Shifted by one, the zeros that rotation brings in at the corners become IGNORE.
        shifted = (labels.float() + 1)[None, None]
        frame, shifted = self._geometry(frame[None], shifted)
        frame = self._light(frame)[0].clamp(0, 1)
        labels = shifted[0, 0].round().long() - 1
        return frame, torch.where(labels < 0, IGNORE, labels)


def to_tensors(frame: Uint8, labels: Uint8) -> tuple[Tensor, Tensor]:
    """A pair as read, B, G, R -> frame float [3, H, W] in R, G, B, 0..1, and labels [H, W]."""
    colours = torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1)
    return colours.float() / 255, torch.from_numpy(labels)
