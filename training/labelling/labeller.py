# SPDX-License-Identifier: Apache-2.0
"""Labels one frame: models vote, the scene corrects, thresholds select, boxes are cut out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from carla_unet_ros.labels import IGNORE, Uint8
from carla_unet_ros.training.labelling.boxes import Box, apply_boxes
from carla_unet_ros.training.labelling.scene import settle_night_sky, settle_own_lane
from carla_unet_ros.training.labelling.thresholds import keep_sure
from carla_unet_ros.training.labelling.votes import Voters


class Labelled(NamedTuple):
    """Labels of a frame, uint8 [H, W].

    voted:  the winner of the vote at each pixel
    labels: the final label where it is sure, else IGNORE
    """

    voted: Uint8
    labels: Uint8


@dataclass(frozen=True)
class Labeller:
    """Labels frames.

    thresholds: uint8 [classes], from `class_thresholds`
    boxes:      boxes by frame name, or None to use no boxes
    night_sky, own_lane: which corrections of `scene` to use
    unsure:     ids that stay IGNORE however sure the vote is
    """

    voters: Voters
    thresholds: Uint8
    boxes: dict[str, list[Box]] | None = None
    night_sky: bool = False
    own_lane: bool = False
    unsure: Sequence[int] = ()

    def label(self, name: str, frame: Uint8) -> Labelled:
        """Frame [H, W, 3], B, G, R -> labels [H, W]."""
        names = self.voters.labels
        vote = self.voters.vote(frame)
        settled = vote.labels
        if self.own_lane:
            settled = settle_own_lane(settled, names)
        if self.night_sky:
            settled = settle_night_sky(settled, frame, names)
        # Corrections by the scene need no confidence.
        sure = keep_sure(vote, self.thresholds)
        labels = np.where(settled != vote.labels, settled, sure)
        labels[np.isin(labels, self.unsure)] = IGNORE
        if self.boxes is not None:
            labels = apply_boxes(labels, frame, self.boxes.get(name, []), names)
        return Labelled(vote.labels, labels)
