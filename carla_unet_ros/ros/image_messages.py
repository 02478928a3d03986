# SPDX-License-Identifier: Apache-2.0
"""Converts sensor_msgs/Image and CompressedImage to numpy arrays and back, for all nodes.

bgra8 (what CARLA's bridge sends) becomes a view of the message's own bytes; bgr8, rgb8, rgba8 and
mono8 cost one OpenCV pass; every other encoding goes through cv_bridge, which is imported only
then. The code honours any `step` of the rows and, for 16-bit values, the byte order that
`is_bigendian` gives: cv_bridge alone gets both wrong, depending on its version.

Reading uses only the fields of a message, so it also works without ROS on messages of a bag.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from carla_unet_ros.camera_model import LARGEST_FRAME, Size
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import Uint8
from carla_unet_ros.pictures import (
    PictureError,
    check_header,
    decode_colours,
    decode_unchanged,
    encode,
    is_jpeg,
)

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image
    from std_msgs.msg import Header

_CHANNELS = {"bgra8": 4, "bgr8": 3, "rgb8": 3, "rgba8": 4, "mono8": 1}
_ONE_CHANNEL = {
    name: np.dtype(kind)
    for name, kind in (("mono8", "u1"), ("8UC1", "u1"), ("mono16", "u2"), ("16UC1", "u2"))
}
# Pixels without colours in their name; tools that write labels mean OpenCV's order, B, G, R(, A).
_NAMELESS = {"8UC3": "bgr8", "8UC4": "bgra8"}
_TO_BGRA = {
    "bgr8": cv2.COLOR_BGR2BGRA,
    "rgb8": cv2.COLOR_RGB2BGRA,
    "rgba8": cv2.COLOR_RGBA2BGRA,
    "mono8": cv2.COLOR_GRAY2BGRA,
}


# Characters of an encoding or a format that a sentence repeats: it comes from outside.
_SHOWN = 40


class BadFrame(InputError):
    """Raised for a message that holds no usable frame; the text says what is wrong with it."""


def to_image_message(image: Uint8, encoding: str, header: "Header") -> "Image":
    """Image uint8 [H, W] or [H, W, channels] -> message with this header, rows without padding.

    Raises ValueError if the array does not fit the encoding: bgra8, bgr8, rgb8, rgba8 or mono8.
    """
    from sensor_msgs.msg import Image

    channels = _CHANNELS.get(encoding)
    found = 1 if image.ndim == 2 else image.shape[-1] if image.ndim == 3 else None
    if channels is None or channels != found or image.dtype != np.uint8:
        raise InputError(
            f"an image {image.dtype} {image.shape} is no {encoding}; known: {', '.join(_CHANNELS)}"
        )
    height, width = image.shape[:2]
    message = Image(
        header=header, height=height, width=width, encoding=encoding, step=width * channels
    )
    # The only fast way: when bytes or an array are assigned, rclpy checks every element.
    message.data.frombytes(np.ascontiguousarray(image).data.cast("B"))
    return message


def to_compressed_message(
    image: Uint8, encoding: str, header: "Header", jpeg: int | None = None
) -> "CompressedImage":
    """Image uint8 [H, W] or [H, W, 3], B, G, R -> message that image_transport understands.

    encoding: of the image, mono8 or bgr8
    jpeg:     quality 1..100; None makes a PNG, which loses nothing
    """
    from sensor_msgs.msg import CompressedImage

    kind = "png" if jpeg is None else "jpeg"
    message = CompressedImage(header=header, format=f"{encoding}; {kind} compressed {encoding}")
    message.data.frombytes(encode(image, jpeg))
    return message


def to_bgra(message: "Image | CompressedImage", most_pixels: int = LARGEST_FRAME) -> Uint8:
    """The frame as uint8 [height, width, 4], B, G, R, A.

    For bgra8 the array is a view, with the row stride of the message's step; otherwise it is new.
    Raises BadFrame, also for more than `most_pixels`, which is checked before any pixel is read.
    """
    if not hasattr(message, "encoding"):
        colours = _decode(cast("CompressedImage", message), decode_colours, most_pixels)
        return _converted(colours, cv2.COLOR_BGR2BGRA)
    message = cast("Image", message)
    if message.encoding not in _CHANNELS:
        return _through_cv_bridge(message, most_pixels)
    return _in_bgra(message, message.encoding, most_pixels)


def frame_size(message: "Image | CompressedImage", most_pixels: int = LARGEST_FRAME) -> Size:
    """The size of the frame in a message; no pixel is read, and nothing decoded.

    Raises BadFrame where it can be no frame, also for more than `most_pixels`.
    """
    if not hasattr(message, "encoding"):
        compressed = cast("CompressedImage", message)
        name = _name(compressed)
        try:
            return check_header(bytes(compressed.data), name, most_pixels)
        except PictureError as error:
            raise BadFrame(str(error)) from error
    message = cast("Image", message)
    _check_layout(message, most_pixels)
    return Size(message.width, message.height)


def checked_jpeg(message: "Image | CompressedImage") -> bytes | None:
    """The bytes of a frame that is sent as JPEG, for who shows them as they are; None for others.

    Raises BadFrame where they would show nothing, or far too much.
    """
    if hasattr(message, "encoding") or not is_jpeg(content := bytes(message.data)):
        return None
    frame_size(message)
    return content


def to_semantic(message: "Image | CompressedImage", most_pixels: int = LARGEST_FRAME) -> Uint8:
    """The image of a semantic camera: uint8 [height, width] if it has one channel, as raw tags do,
    else [height, width, 4] in B, G, R, A.

    Raises BadFrame.
    """
    if not hasattr(message, "encoding"):
        image = _decode(cast("CompressedImage", message), decode_unchanged, most_pixels)
        if image.ndim == 3:
            code = cv2.COLOR_BGR2BGRA if image.shape[2] == 3 else None
            image = image if code is None else cv2.cvtColor(image, code)
        return _of_eight_bits(np.asarray(image), "the compressed label image")
    message = cast("Image", message)
    if message.encoding in _NAMELESS:
        return _in_bgra(message, _NAMELESS[message.encoding], most_pixels)
    if message.encoding not in _ONE_CHANNEL:
        return to_bgra(message, most_pixels)
    kind = _ONE_CHANNEL[message.encoding].newbyteorder(">" if message.is_bigendian else "<")
    rows = np.ascontiguousarray(pixel_rows(message, kind.itemsize, most_pixels))
    return _of_eight_bits(rows.view(kind), f"the label image ({message.encoding})")


def _in_bgra(message: "Image", encoding: str, most_pixels: int) -> Uint8:
    """The message's pixels, which are in an `encoding` of _CHANNELS, in B, G, R, A."""
    channels = _CHANNELS[encoding]
    rows = pixel_rows(message, channels, most_pixels)
    pixels = rows.reshape(message.height, message.width, channels)
    return pixels if encoding == "bgra8" else _converted(pixels, _TO_BGRA[encoding])


def _of_eight_bits(image: np.ndarray, name: str) -> Uint8:
    """Converts 16-bit tags to uint8; raises BadFrame if one of them does not fit."""
    if image.dtype != np.uint8 and image.max() > np.iinfo(np.uint8).max:
        raise BadFrame(f"{name} holds {image.max()}; a tag is at most 255")
    return image.astype(np.uint8, copy=False)


def label_ids(message: "Image") -> Uint8:
    """Class ids uint8 [height, width] of a label image, a view with the message's row stride.

    Raises BadFrame.
    """
    if message.encoding != "mono8":
        raise BadFrame(
            f"the label image is {message.encoding[:_SHOWN]}; expected mono8, a class id a pixel"
        )
    return pixel_rows(message, 1, LARGEST_FRAME)


def pixel_rows(message: "Image", pixel_bytes: int, most_pixels: int) -> Uint8:
    """The message's pixels as a view uint8 [height, width x pixel_bytes], without row padding."""
    height, width, step = message.height, message.width, message.step
    _check_layout(message, most_pixels)
    if step < width * pixel_bytes:
        raise BadFrame(
            f"the image's step is {step} bytes; a row of {width}x{height} "
            f"{message.encoding[:_SHOWN]} needs {width * pixel_bytes}"
        )
    view = np.frombuffer(message.data, np.uint8, height * step)
    return view.reshape(height, step)[:, : width * pixel_bytes]


def _check_layout(message: "Image", most_pixels: int) -> None:
    """Checks what an image says of itself against its data. Raises BadFrame."""
    height, width, step = message.height, message.width, message.step
    size = f"{width}x{height} {message.encoding[:_SHOWN]}"
    if not len(message.data):
        raise BadFrame(f"the image ({size}) is empty: it has no data")
    if not width or not height:
        raise BadFrame(f"the image has no size: {size}")
    if width * height > most_pixels:
        raise BadFrame(
            f"the image is {size}; expected at most {most_pixels / 1e6:g} million pixels"
        )
    if len(message.data) < height * step:
        raise BadFrame(
            f"the image holds {len(message.data)} bytes; {height} rows of {step} bytes "
            f"({size}) need {height * step}"
        )


def _through_cv_bridge(message: "Image", most_pixels: int) -> Uint8:
    """Packs rows and swaps bytes of any other encoding; cv_bridge then converts the colours."""
    encoding, shown = message.encoding, repr(message.encoding[:_SHOWN])
    try:
        from cv_bridge import CvBridge, CvBridgeError
        from sensor_msgs.msg import Image
    except ImportError as error:
        raise BadFrame(
            f"encoding {shown} needs cv_bridge, which cannot be imported ({error}); install "
            f"it, or publish one of {', '.join(_CHANNELS)}"
        ) from error
    bridge = CvBridge()
    try:
        value_type, channels = bridge.encoding_to_dtype_with_channels(encoding)
    except (CvBridgeError, KeyError, ValueError) as error:
        raise BadFrame(
            f"encoding {shown} is unknown to cv_bridge; publish one of {', '.join(_CHANNELS)}"
        ) from error
    pixel_bytes = np.dtype(value_type).itemsize * channels
    values = np.ascontiguousarray(pixel_rows(message, pixel_bytes, most_pixels))
    if bool(message.is_bigendian) != (sys.byteorder == "big"):
        values = values.view(value_type).byteswap().view(np.uint8)
    packed = Image(
        height=message.height,
        width=message.width,
        encoding=encoding,
        step=values.shape[1],
        is_bigendian=sys.byteorder == "big",
    )
    packed.data.frombytes(values.data.cast("B"))
    try:
        # Not directly to bgra8: pip's cv_bridge converts Bayer patterns only to bgr8.
        image = bridge.imgmsg_to_cv2(packed, "bgr8")
    except (CvBridgeError, cv2.error, KeyError, ValueError) as error:
        # pip's cv_bridge looks a conversion up in a table: its KeyError says nothing more.
        reason = "" if isinstance(error, KeyError) else f" ({error})"
        raise BadFrame(
            f"encoding {shown} cannot be made a colour image by cv_bridge{reason}; publish "
            f"one of {', '.join(_CHANNELS)}"
        ) from error
    return _converted(np.asarray(image, np.uint8), cv2.COLOR_BGR2BGRA)


def _decode(
    message: "CompressedImage",
    decode: Callable[[Uint8, str, int], np.ndarray],
    most_pixels: int,
) -> np.ndarray:
    name = _name(message)
    if "compressedDepth" in message.format:
        raise BadFrame(f"{name} is a depth image; expected colours, as JPEG or PNG")
    try:
        return decode(np.frombuffer(message.data, np.uint8), name, most_pixels)
    except PictureError as error:
        raise BadFrame(str(error)) from error


def _name(message: "CompressedImage") -> str:
    return f"the compressed image ({message.format[:_SHOWN]!r}, {len(message.data)} bytes)"


def _converted(image: Uint8, code: int) -> Uint8:
    return np.asarray(cv2.cvtColor(image, code), np.uint8)
