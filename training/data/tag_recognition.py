# SPDX-License-Identifier: Apache-2.0
"""Recognises the format of a semantic camera's images: tags or palette, and the CARLA version.

The bridge sends palette colours, CARLA's own ROS 2 interface sends raw tags in the red channel.
Both use the same topic and encoding, so only the pixels tell the format. They often tell the
version, too: a table that lacks one of the seen colours or tags is wrong. If the remaining tables
disagree about what was seen, the user has to name the version: nothing is guessed.
"""

from typing import NamedTuple

import numpy as np

from carla_unet_ros.errors import InputError
from carla_unet_ros.evaluation.truth_reader import TruthReader
from carla_unet_ros.labels import LabelSet, Uint8, carla_label_set
from carla_unet_ros.labels.carla_tags import TAG_TABLES

# The tables to prefer if several agree on what was seen.
_LIKELY = ("0.9.14-0.9.16", "0.9.10-0.9.13")


class TagError(InputError):
    """A semantic image whose meaning is unclear; the text says what was seen and what to do."""


class TagFormat(NamedTuple):
    """The format of semantic images.

    palette:   whether they hold the colours of `label_set`, or its ids in the red channel
    label_set: the classes
    """

    palette: bool
    label_set: LabelSet

    def tags(self, image: Uint8) -> Uint8:
        """Semantic image uint8 [H, W, 3 or 4] in B, G, R -> raw tags uint8 [H, W].

        Raises TagError if a pixel is no class of the label set.
        """
        reader = TruthReader(self.label_set, "palette" if self.palette else "raw")
        tags = reader.read(image)
        if reader.unknown_pixels:
            raise TagError(
                f"{reader.example} is no class of {self.label_set.name} "
                f"({reader.unknown_pixels} pixels)"
            )
        if not self.palette and image[..., :2].any():
            raise TagError("raw tags leave green and blue at 0, but here they are not 0")
        return tags


def colours_in(image: Uint8) -> set[tuple[int, int, int]]:
    """All (R, G, B) that occur in an image uint8 [H, W, 4] in B, G, R, A."""
    packed = np.unique(np.ascontiguousarray(image).view("<u4") & 0xFFFFFF)
    return {(value >> 16, value >> 8 & 255, value & 255) for value in packed.tolist()}


def recognise(colours: set[tuple[int, int, int]], tags: str | None = None) -> TagFormat:
    """The format of semantic images in which these colours (R, G, B) were seen.

    tags: the CARLA version, as `labels.carla_label_set` takes it; None recognises it

    Raises TagError if the colours fit no table, or several that disagree.
    """
    if not colours - {(0, 0, 0)}:
        raise TagError(
            "the labels are black all over, which is no class in every table: is the semantic "
            "camera spawned, and is this its topic?"
        )
    palette = any(green or blue for _, green, blue in colours)
    if tags is not None:
        return TagFormat(palette, carla_label_set(tags))
    meanings = {
        version: meaning
        for version in TAG_TABLES
        if (meaning := _meaning(carla_label_set(version), colours, palette)) is not None
    }
    if not meanings:
        raise TagError(_no_table(colours, palette))
    if len(set(meanings.values())) > 1:
        versions = " or ".join(f"--tags {version}" for version in meanings)
        hint = "" if palette else "; CARLA's own ROS 2 interface sends raw tags since 0.9.16"
        raise TagError(
            f"the labels hold {'palette colours' if palette else 'raw tags'} that mean different "
            f"classes in different CARLA versions; say which: {versions}{hint}"
        )
    version = next((one for one in _LIKELY if one in meanings), next(iter(meanings)))
    return TagFormat(palette, carla_label_set(version))


def _meaning(
    labels: LabelSet, colours: set[tuple[int, int, int]], palette: bool
) -> tuple[tuple[int, str], ...] | None:
    """Id and name of each colour, in the colours' order; None if one is unknown."""
    ids = {
        (label.colour if palette else (label.id, 0, 0)): (label.id, label.name)
        # The first of two classes with one colour represents both, as in `ids_of_colours`.
        for label in reversed(labels.classes)
    }
    if not colours <= ids.keys():
        return None
    return tuple(ids[colour] for colour in sorted(colours))


def _no_table(colours: set[tuple[int, int, int]], palette: bool) -> str:
    known = {
        colour
        for table in TAG_TABLES.values()
        for colour in (table.values() if palette else ((id, 0, 0) for id in range(len(table))))
    }
    strange = sorted(colours - known)
    kind = "colours" if palette else "raw tags"
    if not strange:
        return (
            f"no CARLA version has all {kind} seen in the labels: are several versions in one bag?"
        )
    shown = ", ".join(map(str, strange[:5])) + (", ..." if len(strange) > 5 else "")
    return (
        f"{len(strange)} {kind} (R, G, B) of the labels are no class of any CARLA version: "
        f"{shown}; was the topic compressed with loss, or is it not the semantic camera's?"
    )
