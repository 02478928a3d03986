# SPDX-License-Identifier: Apache-2.0
"""Labels one frame: models vote, the scene corrects, thresholds select, boxes are cut out."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from carla_unet_ros.labels import Uint8
from carla_unet_ros.training.labelling.boxes import Box, apply_boxes
from carla_unet_ros.training.labelling.scene import settle_night_sky, settle_own_lane
from carla_unet_ros.training.labelling.thresholds import keep_sure
from carla_unet_ros.training.labelling.votes import Voters


class Labelled(NamedTuple):
    """voted: what models said of each pixel; labels: what is sure of it, else IGNORE."""

    voted: Uint8
    labels: Uint8


@dataclass(frozen=True)
class Labeller:
    """thresholds: uint8 [classes], as `class_thresholds` gives them
    boxes:      by frame name, or None where there are no boxes at all
    night_sky, own_lane: what of `scene` is asked
    """

    voters: Voters
    thresholds: Uint8
    boxes: dict[str, list[Box]] | None = None
    night_sky: bool = False
    own_lane: bool = False

    def label(self, name: str, frame: Uint8) -> Labelled:
        """Frame [H, W, 3], B, G, R -> labels [H, W]."""
        names = self.voters.labels
        vote = self.voters.vote(frame)
        settled = vote.labels
        if self.own_lane:
            settled = settle_own_lane(settled, names)
        if self.night_sky:
            settled = settle_night_sky(settled, frame, names)
        # What the scene settles needs no confidence.
        sure = keep_sure(vote, self.thresholds)
        labels = np.where(settled != vote.labels, settled, sure)
        if self.boxes is not None:
            labels = apply_boxes(labels, frame, self.boxes.get(name, []), names)
        return Labelled(vote.labels, labels)
