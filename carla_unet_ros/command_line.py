# SPDX-License-Identifier: Apache-2.0
"""Makes command lines from dataclasses: a field is an option, its comment the help (tyro).

A nested dataclass is a group of options. `--config FILE` reads options from YAML first: a line
`rate: 2e-3` in the file is the same as `--rate 2e-3` before the words that are typed.
"""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro
import yaml
from tyro.constructors import PrimitiveConstructorSpec

from carla_unet_ros.camera_model import Size, parse_size
from carla_unet_ros.errors import InputError, sentence_of
from carla_unet_ros.input_files import check_regular
from carla_unet_ros.standard_streams import drop_output, prepare_streams, tell

SizeOption = Annotated[
    Size,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="WIDTHxHEIGHT",
        instance_from_str=lambda words: parse_size(words[0]),
        is_instance=lambda value: isinstance(value, Size),
        str_from_instance=lambda size: [str(size)],
    ),
]
"""The type of an option that is a size."""


@dataclass(frozen=True, kw_only=True)
class Configured:
    """The options that every command takes."""

    # YAML file of options, named as here, without the dashes in front; what is typed wins over it
    config: Path | None = None


Options = TypeVar("Options", bound=Configured)

EMPTY = tyro.conf.arg(help_behavior_hint="(default: none)")
"""The default of an empty list in the help: `Annotated[tuple[str, ...], EMPTY] = ()`."""


def parse(kind: type[Options], prog: str, argv: Sequence[str] | None = None) -> Options:
    """Options from the command line. Exits with status 2 if they cannot be understood.

    A ValueError of a `__post_init__` is treated in the same way; its text is shown.
    """
    typed = sys.argv[1:] if argv is None else argv
    found, _ = tyro.cli(
        Configured, prog=prog, args=typed, add_help=False, return_unknown_args=True
    )
    try:
        words = _words(found.config) if found.config else []
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        print(
            f"{prog}: --config {found.config} cannot be used: {sentence_of(error)}",
            file=sys.stderr,
        )
        sys.exit(2)
    style = tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone
    return tyro.cli(kind, prog=prog, args=[*words, *typed], config=style)


def run_command(
    kind: type[Options],
    prog: str,
    command: Callable[[Options], int | None],
    argv: Sequence[str] | None = None,
    also: tuple[type[Exception], ...] = (),
    stopped: str = "stopped",
) -> int:
    """Exit status of a command: its own, or 0; 1 after an error that a user can cause.

    Such an error is an InputError, an OSError, or one of `also`; its text goes to stderr. After
    Ctrl-C the status is 130, and `stopped` goes to stderr.
    """
    prepare_streams()
    try:
        status = command(parse(kind, prog, argv)) or 0
        sys.stdout.flush()
        return status
    except (InputError, OSError, *also) as error:
        return tell(prog, error)
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return 130
    except SystemExit as end:  # after --help, or options that are none
        if drop_output() and not end.code:
            return 1
        raise


def check_ranges(options: Any, **ranges: tuple[float, float]) -> None:
    """Raises ValueError for an option outside its range; None is always allowed."""
    for name, (least, most) in ranges.items():
        value = getattr(options, name)
        if value is not None and not least <= value <= most:
            limits = f"at least {least}" if most == math.inf else f"{least} to {most}"
            raise InputError(f"--{name.replace('_', '-')} {value}: expected {limits}")


def values_of(options: Any) -> dict[str, Any]:
    """All options by name, as in a file for --config, without those that are None."""
    values: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            values |= values_of(value)
        elif value is not None and field.name != "config":
            values[field.name.replace("_", "-")] = _plain(value)
    return values


def _words(path: Path) -> list[str]:
    """Returns the words that would be typed for the options of a file.

    Scalars stay text: a version 0.10 must not become 0.1.
    """
    check_regular(path)
    content = yaml.load(path.read_text(), yaml.BaseLoader) or {}
    if not isinstance(content, dict) or "config" in content:
        raise InputError("expected lines such as `rate: 2e-3`, and no further config")
    words: list[str] = []
    for name, value in content.items():
        entries = value if isinstance(value, list) else [value]
        if not all(isinstance(entry, str) and "\0" not in entry for entry in entries):
            raise InputError(f"{name} holds {value}; expected a value or a list of them")
        if isinstance(value, list):
            words += [f"--{name}", *entries]
        elif value in ("true", "false"):
            words.append(f"--{'' if value == 'true' else 'no-'}{name}")
        elif value not in ("", "null"):
            words.append(f"--{name}={value}")
    return words


def _plain(value: Any) -> Any:
    if isinstance(value, Path | Size):
        return str(value)
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
