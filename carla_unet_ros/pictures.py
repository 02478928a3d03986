# SPDX-License-Identifier: Apache-2.0
"""Reads, checks and writes picture files and compressed pictures; nothing else does.

    uint8 [H, W], [H, W, 3] in B, G, R or [H, W, 4] in B, G, R, A

OpenCV gets bytes and never names, because it ends the process at a name that is no UTF-8. This
module refuses what OpenCV would accept silently: a JPEG that is cut short, whose lower part would
be grey, and a picture of a few hundred bytes that declares gigabytes of pixels.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from carla_unet_ros.camera_model import Size
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.whole_files import write_whole

SUFFIXES = ("png", "jpg", "jpeg", "bmp")
"""Kinds of picture files that are read."""

LARGEST_PICTURE = 100_000_000
"""Pixels of the largest file that is read; a 4K frame has 8 million."""

_PNG, _JPEG, _BMP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"
_JPEG_END = b"\xff\xd9"
_PNG_GREY, _PNG_PALETTE = 0, 3
# Segments of a JPEG that tell its size (SOF0 to SOF15, without tables and extensions).
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))


class PictureError(InputError):
    """A picture that cannot be used; the text says what is wrong with it."""


def shown(path: Path | str) -> str:
    """The name in a form that can always be printed: bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_colours(path: Path) -> Uint8:
    """Reads a frame as uint8 [H, W, 3]; ignores the orientation in EXIF, because masks have none.

    Raises PictureError, also where the file cannot be read.
    """
    return decode_colours(_content(path), shown(path))


def read_mask(path: Path) -> np.ndarray:
    """Reads a mask unchanged: [H, W] or [H, W, channels], uint8 or uint16; never a JPEG.

    Raises PictureError, also where the file cannot be read.
    """
    content = _content(path)
    if is_jpeg(content):
        raise PictureError(
            f"{shown(path)} is a JPEG, whose loss turns tags into others; expected PNG"
        )
    return _decoded(content, shown(path), cv2.IMREAD_UNCHANGED, LARGEST_PICTURE)


def decode_colours(content: bytes | Uint8, name: str, most_pixels: int = LARGEST_PICTURE) -> Uint8:
    """PNG, JPEG or BMP bytes -> uint8 [H, W, 3], B, G, R.

    name:        what a message calls the picture
    most_pixels: a picture that declares more is refused before memory is allocated

    Raises PictureError.
    """
    mode = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return np.asarray(_decoded(bytes(content), name, mode, most_pixels), np.uint8)


def decode_unchanged(
    content: bytes | Uint8, name: str, most_pixels: int = LARGEST_PICTURE
) -> np.ndarray:
    """Decodes a mask unchanged: [H, W] or [H, W, channels], uint8 or uint16."""
    return _decoded(bytes(content), name, cv2.IMREAD_UNCHANGED, most_pixels)


def write_picture(path: Path, image: np.ndarray, jpeg: int | None = None) -> None:
    """Writes a PNG, or with `jpeg` (quality 1..100) a JPEG; whole or not at all.

    Raises OSError where it cannot be written, PictureError where OpenCV cannot encode it.
    """
    write_whole(path, encode(image, jpeg))


def encode(image: np.ndarray, jpeg: int | None = None) -> bytes:
    """PNG bytes of an image, or those of a JPEG of this quality, 1..100. Raises PictureError."""
    suffix, options = (".png", []) if jpeg is None else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, jpeg])
    try:
        done, content = cv2.imencode(suffix, image, options)
    except cv2.error as error:
        raise PictureError(f"an image {image.dtype} {image.shape} is no {suffix[1:]}") from error
    if not done:
        raise PictureError(f"an image {image.dtype} {image.shape} cannot be made a {suffix[1:]}")
    return content.tobytes()


def palette_indices(content: bytes) -> Uint8 | None:
    """Indices uint8 [H, W] of a PNG that has a palette; None for any other picture.

    OpenCV gives only the palette's colours, so the header is changed: it says that the indices are
    greys. OpenCV spreads indices of fewer than 8 bits over 0..255; the division reverts that.
    """
    if not content.startswith(_PNG) or len(content) < 33 or content[25] != _PNG_PALETTE:
        return None
    header = bytearray(content[12:29])
    depth, header[13] = header[12], _PNG_GREY
    grey = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    image = np.asarray(
        _decoded(grey, "a palette", cv2.IMREAD_GRAYSCALE, LARGEST_PICTURE), np.uint8
    )
    return image // (255 // (2**depth - 1))


def is_jpeg(content: bytes) -> bool:
    return content.startswith(_JPEG)


def declared_size(content: bytes) -> tuple[int, int] | None:
    """Width and height that PNG, JPEG or BMP bytes declare in their header; None for others."""
    if content.startswith(_PNG) and len(content) >= 24:
        return struct.unpack(">II", content[16:24])
    if content.startswith(_BMP) and len(content) >= 26:
        width, height = struct.unpack("<ii", content[18:26])
        return abs(width), abs(height)
    place = _jpeg_frame(content)
    if place is None:
        return None
    height, width = struct.unpack(">HH", content[place + 5 : place + 9])
    return width, height


def check_header(content: bytes, name: str, most_pixels: int = LARGEST_PICTURE) -> Size:
    """The size of a picture whose header is in order; nothing is decoded.

    Raises PictureError, also for a picture that is larger than `most_pixels` or is cut short.
    """
    if not content:
        raise PictureError(f"{name} is empty: it has no data")
    size = declared_size(content)
    if size is None:
        raise PictureError(f"{name} is no picture that can be read: expected {_names(SUFFIXES)}")
    width, height = size
    if not 0 < width * height <= most_pixels:
        raise PictureError(
            f"{name} declares {width}x{height} pixels; expected 1 to {most_pixels / 1e6:g} million"
        )
    # Search after the frame header: a thumbnail in EXIF has an end of its own. Padding may follow.
    place = _jpeg_frame(content)
    if place is not None and content.find(_JPEG_END, place) < 0:
        raise PictureError(f"{name} is cut short: the end of its JPEG is missing")
    return Size(width, height)


def _jpeg_frame(content: bytes) -> int | None:
    """Returns the offset of a JPEG's frame header, after EXIF and tables (ITU-T T.81, annex B)."""
    place = 2 if content.startswith(_JPEG) else len(content)
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker in _JPEG_SIZES:
            return place
        if marker == 0xFF:  # a fill byte
            place += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            place += 2
        else:
            (length,) = struct.unpack(">H", content[place + 2 : place + 4])
            place += 2 + max(length, 2)
    return None


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise PictureError(f"{shown(path)} is no file; expected a picture")
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"{shown(path)} cannot be read: {error.strerror}") from error


def _decoded(content: bytes, name: str, mode: int, most_pixels: int) -> np.ndarray:
    check_header(content, name, most_pixels)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), mode)
    except cv2.error as error:
        raise PictureError(f"{name} cannot be decoded: {_first_line(error)}") from error
    if image is None:
        raise PictureError(f"{name} is damaged or cut short: it cannot be decoded")
    return image


def _names(suffixes: Sequence[str]) -> str:
    return ", ".join(suffix.upper() for suffix in suffixes if suffix != "jpg")


def _first_line(error: cv2.error) -> str:
    return str(error).strip().partition("\n")[0]
