# SPDX-License-Identifier: Apache-2.0
"""Stages run once each, in order, and go on where they were ended."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from carla_unet_ros.training.recipes.stages import Stage, StageError, run_stages


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `write_line FILE TEXT` that fails while FILE.broken exists, on the path."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (tmp_path / "write_line.py").write_text(
        textwrap.dedent("""
        import sys, pathlib
        file, text = sys.argv[1:3]
        if pathlib.Path(file + ".broken").exists():
            sys.exit(3)
        with open(file, "a") as out:
            out.write(text + "\\n")
        """)
    )
    return tmp_path / "lines.txt"


def stages(file: Path) -> list[Stage]:
    return [Stage(name, ("write_line", str(file), name)) for name in ("first", "second")]


def test_each_stage_runs_once_in_order(writer: Path, tmp_path: Path) -> None:
    for _ in range(2):
        run_stages(stages(writer), tmp_path / "out")
    assert writer.read_text().split() == ["first", "second"]
    assert json.loads((tmp_path / "out" / "first.done").read_text())["seconds"] >= 0


def test_a_stage_that_fails_ends_the_recipe_and_is_tried_again(
    writer: Path, tmp_path: Path
) -> None:
    broken = Path(f"{writer}.broken")
    broken.touch()
    with pytest.raises(StageError, match=r"stage first ended with status 3; .*-m write_line"):
        run_stages(stages(writer), tmp_path / "out")
    broken.unlink()
    run_stages(stages(writer), tmp_path / "out")
    assert writer.read_text().split() == ["first", "second"]


def test_a_damaged_record_of_a_stage_is_told(writer: Path, tmp_path: Path) -> None:
    run_stages(stages(writer), tmp_path / "out")
    (tmp_path / "out" / "first.done").write_text("{")
    with pytest.raises(StageError, match=r"first\.done is damaged: remove it to do stage first"):
        run_stages(stages(writer), tmp_path / "out")


def test_a_stage_done_with_other_arguments_is_refused(writer: Path, tmp_path: Path) -> None:
    run_stages(stages(writer), tmp_path / "out")
    changed = [Stage("first", ("write_line", str(writer), "else")), *stages(writer)[1:]]
    with pytest.raises(StageError, match="was done with other arguments"):
        run_stages(changed, tmp_path / "out")


def test_a_recipe_that_is_killed_goes_on_at_the_stage_it_was_in(
    writer: Path, tmp_path: Path
) -> None:
    """The second stage kills the recipe, its parent, the first time it runs."""
    (tmp_path / "kill_once.py").write_text(
        textwrap.dedent("""
        import os, sys, signal, pathlib
        mark = pathlib.Path(sys.argv[1])
        if not mark.exists():
            mark.touch()
            os.kill(os.getppid(), signal.SIGKILL)
        """)
    )
    code = textwrap.dedent(f"""
        from pathlib import Path
        from carla_unet_ros.training.recipes.stages import Stage, run_stages
        file = {str(writer)!r}
        run_stages([
            Stage("first", ("write_line", file, "first")),
            Stage("second", ("kill_once", {str(tmp_path / "mark")!r})),
            Stage("third", ("write_line", file, "third")),
        ], Path({str(tmp_path / "out")!r}))
    """)
    killed = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert writer.read_text().split() == ["first"]
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert writer.read_text().split() == ["first", "third"]


def test_a_folder_that_an_orphaned_stage_works_in_is_refused(writer: Path, tmp_path: Path) -> None:
    """The stage kills the recipe, its parent, and then lives until its standard input closes."""
    (tmp_path / "orphan.py").write_text(
        textwrap.dedent("""
        import os, signal, sys
        os.kill(os.getppid(), signal.SIGKILL)
        sys.stdin.read()
        """)
    )
    out = tmp_path / "out"
    code = textwrap.dedent(f"""
        from pathlib import Path
        from carla_unet_ros.training.recipes.stages import Stage, run_stages
        run_stages([Stage("first", ("orphan",))], Path({str(out)!r}))
    """)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as recipe:
        assert recipe.wait(timeout=60) == -signal.SIGKILL
        with pytest.raises(StageError, match="or a stage that it left running, works in"):
            run_stages(stages(writer), out)
        assert recipe.stdin is not None and recipe.stdout is not None
        recipe.stdin.close()
        recipe.stdout.read()  # ends when the stage has ended, and its lock with it
    run_stages(stages(writer), out)
    assert writer.read_text().split() == ["first", "second"]
