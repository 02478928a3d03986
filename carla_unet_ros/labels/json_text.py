# SPDX-License-Identifier: Apache-2.0
"""JSON from outside: a legend on a topic, a model file's metadata, a file beside a cache entry.

Anybody may have written it, so it is read with limits: whatever the text is, what comes out is
plain JSON or one ValueError that says what is wrong.
"""

import json
import math
from typing import Any, NoReturn

from carla_unet_ros.errors import InputError

LONGEST = 1_000_000
"""Characters of the longest text that is read; a legend of 254 classes has some 30,000."""

_SHOWN = 80


def read_json(text: str) -> Any:
    """The value of a JSON text. ValueError with a sentence for what is none, or goes too far:
    more than LONGEST characters, nested too deep, a number that is not finite, text that is no
    Unicode."""
    if len(text) > LONGEST:
        raise InputError(f"a JSON text of {len(text)} characters; expected {LONGEST} at most")
    try:
        # A lone surrogate, as it is or as \ud800, could be neither printed nor published.
        text.encode()
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise InputError(f"JSON nested too deep: {shortened(text)}") from error
    except UnicodeEncodeError as error:
        raise InputError(f"JSON with text that is no Unicode: {shortened(text)}") from error
    except ValueError as error:
        raise InputError(f"no JSON ({error}): {shortened(text)}") from error
    return value


def shortened(text: object, length: int = _SHOWN) -> str:
    """Returns the beginning of a text from outside, printable and quoted, for a message."""
    shown = ascii(str(text)[: length + 1])
    return shown if len(str(text)) <= length else f"{shown[:length]}... ({len(str(text))} long)"


def _refuse(constant: str) -> NoReturn:
    raise InputError(f"{constant} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InputError(f"{shortened(digits)} is no finite number")
    return number
