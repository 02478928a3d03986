# SPDX-License-Identifier: Apache-2.0
"""Runs stages one after the other, each once, and continues after any interruption.

A stage is a command of `training` in a process of its own. When it succeeds, OUT/NAME.done is
written, and the next run of the recipe begins at the first stage without such a file. Each command
continues its own work: training at its last epoch, labelling at the missing frames. Files are
written whole or not at all.

A recipe that is killed leaves its stage running. So a stage holds OUT/lock as long as it lives,
and a second recipe in the same folder is refused: two trainings would write the same checkpoint.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels.json_text import read_json
from carla_unet_ros.whole_files import prepare_folder, write_whole


class StageError(InputError):
    """A stage that failed; the text names it and the command to try by itself."""


@dataclass(frozen=True)
class Stage:
    """One command of a recipe.

    name:      a file name, unique in its recipe
    arguments: the words after `python -m`
    """

    name: str
    arguments: tuple[str, ...]

    @classmethod
    def of(cls, name: str, command: str, arguments: Sequence[str | Path]) -> "Stage":
        """A stage that runs a command of `training`, such as export."""
        return cls(name, (f"carla_unet_ros.training.{command}", *map(str, arguments)))

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", *self.arguments]


def run_stages(stages: Sequence[Stage], out: Path) -> None:
    """Runs the stages that are not done. Raises StageError at the first that fails.

    A stage whose arguments have changed since it was done is refused, because later stages would
    not be built on what the recipe says. So is a folder that another recipe or its stage works in.
    """
    prepare_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StageError(
                f"a recipe, or a stage that it left running, works in {out}: wait until it has "
                "ended, or end it, or take another --out"
            ) from error
        _run_each(stages, out, lock.fileno())


def _run_each(stages: Sequence[Stage], out: Path, lock: int) -> None:
    """lock: the descriptor that the stages inherit, and so keep locked until they have ended"""
    for number, stage in enumerate(stages, 1):
        done = out / f"{stage.name}.done"
        if done.is_file():
            _check_same(stage, done)
            continue
        print(f"stage {number} of {len(stages)}: {stage.name}", flush=True)
        start = time.monotonic()
        # As carla_unet_train does: OpenMP's threads sleep while they wait.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
        status = subprocess.run(
            stage.command, check=False, pass_fds=[lock], env=environment
        ).returncode
        if status:
            raise StageError(
                f"stage {stage.name} ended with status {status}; the same command goes on from "
                f"here, and this runs the stage alone: {' '.join(stage.command)}"
            )
        record = {"arguments": stage.arguments, "seconds": round(time.monotonic() - start)}
        write_whole(done, json.dumps(record, indent=1).encode())


def _check_same(stage: Stage, done: Path) -> None:
    try:
        before = read_json(done.read_text())["arguments"]
    except (KeyError, TypeError, ValueError) as error:
        raise StageError(f"{done} is damaged: remove it to do stage {stage.name} again") from error
    if before != list(stage.arguments):
        raise StageError(
            f"stage {stage.name} was done with other arguments ({' '.join(map(str, before))}): "
            f"remove {done} and those of later stages to do them again, or take another --out"
        )
