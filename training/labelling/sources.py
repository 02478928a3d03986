# SPDX-License-Identifier: Apache-2.0
"""Opens a source of frames without labels: a folder of pictures, or a camera topic of a bag."""

from pathlib import Path

from carla_unet_ros.pictures import shown
from carla_unet_ros.training.bags.damage import is_recording
from carla_unet_ros.training.data.frame_names import DataError
from carla_unet_ros.training.labelling.bag_frames import FrameBag
from carla_unet_ros.training.labelling.frames import FrameFolder, FrameSource


def open_frames(path: Path, topic: str) -> FrameSource:
    """A folder of pictures, or a bag (folder, .mcap or .db3 file).

    topic: the bag's camera topic

    Raises DataError if it is neither, BagError for a bag that cannot be used.
    """
    if is_recording(path):
        return FrameBag(path, topic)
    if not path.is_dir():
        raise DataError(
            f"{shown(path)} is no folder; expected a folder of pictures, or a rosbag2 recording"
        )
    return FrameFolder(path)
