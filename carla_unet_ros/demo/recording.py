# SPDX-License-Identifier: Apache-2.0
"""The files of the demo: a video of frame | overlay, and a picture of frame | overlay | truth.

A thread writes the video. If it is too slow it drops pictures, so that nobody waits for it.
"""

import queue
import shutil
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from carla_unet_ros import pictures
from carla_unet_ros.labels import Uint8
from carla_unet_ros.pictures import shown
from carla_unet_ros.whole_files import whole_file

FRAMES_PER_SECOND = 10
_WIDTH = 640
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


class View(NamedTuple):
    """Pictures of one instant, uint8 [height, width, 3], B, G, R; `seconds` is their stamp."""

    seconds: float
    frame: Uint8
    overlay: Uint8
    truth: Uint8


class Video:
    """A video of frame and overlay side by side, FRAMES_PER_SECOND in the time of the stamps.

    OpenCV cannot write to every name, and leaves half a file where it fails. So it writes a draft,
    which `close` copies as a whole. `close` raises OSError where the file could not be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._views: queue.Queue[tuple[int, View] | None] = queue.Queue(maxsize=2)
        self._first: float | None = None
        self._next = 0
        self._error = ""
        self._drafts = tempfile.TemporaryDirectory(prefix="carla_unet_video_")
        self._draft = Path(self._drafts.name) / "demo.mp4"
        self._thread = threading.Thread(target=self._write_all, name="video")
        self._thread.start()

    def add(self, view: View) -> None:
        """Takes a view if it is time for the next one. Its arrays must not change afterwards."""
        if self._first is None:
            self._first = view.seconds
        number = int((view.seconds - self._first) * FRAMES_PER_SECOND)
        if number >= self._next and not self._views.full():
            self._views.put_nowait((number, view))
            self._next = number + 1

    def close(self) -> None:
        """Writes what was added, and closes the file."""
        self._views.put(None)
        self._thread.join()
        with self._drafts:
            if self._error:
                raise OSError(self._error)
            if self._draft.exists():
                with whole_file(self.path) as file, self._draft.open("rb") as draft:
                    shutil.copyfileobj(draft, file)

    def _write_all(self) -> None:
        writer: cv2.VideoWriter | None = None
        written = 0
        while (entry := self._views.get()) is not None:
            number, view = entry
            picture = np.hstack([_scaled(view.frame), _scaled(view.overlay)])
            writer = writer or self._open(picture)
            # The next picture takes the place of those that were dropped: the video keeps time.
            for _ in range(number + 1 - written):
                writer.write(picture)
            written = number + 1
        if writer is not None:
            writer.release()
            self._check(written)

    def _check(self, frames: int) -> None:
        """OpenCV tells nothing of a disk that is full."""
        reader = cv2.VideoCapture(str(self._draft))
        if not self._error and reader.get(cv2.CAP_PROP_FRAME_COUNT) != frames:
            self._error = f"the video could not be written to {self._drafts.name}: is it full?"
        reader.release()

    def _open(self, picture: Uint8) -> cv2.VideoWriter:
        height, width = picture.shape[:2]
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self._draft), codec, FRAMES_PER_SECOND, (width, height))
        if not writer.isOpened():
            self._error = f"{shown(self.path)} cannot be written as MPEG-4 video by this OpenCV"
        return writer


def write_picture(path: Path, view: View) -> None:
    """Writes frame | overlay | truth as one PNG with captions. OSError where it cannot."""
    images = {"camera": view.frame, "segmentation": view.overlay, "truth": view.truth}
    picture = np.hstack([_captioned(image, caption) for caption, image in images.items()])
    pictures.write_picture(path, picture)


def _scaled(image: Uint8) -> Uint8:
    """The image in the width of the video, with an even height, as the codec needs."""
    height, width = image.shape[:2]
    size = (_WIDTH, 2 * round(_WIDTH * height / width / 2))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _captioned(image: Uint8, caption: str) -> Uint8:
    image = image.copy()
    place = (12, image.shape[0] - 14)
    for colour, thickness in ((_BLACK, 5), (_WHITE, 2)):
        cv2.putText(
            image, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, colour, thickness, cv2.LINE_AA
        )
    return image
