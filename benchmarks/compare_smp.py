"""An environment of its own for segmentation_models_pytorch, made once and used again.

That package needs torchvision, and torchvision one release of torch, which is not the project's.
The packages and what they bring (torch's GPU libraries among it) take about 5.5 GB of the disk.
"""

import subprocess
import sys
from collections import deque
from pathlib import Path

from compare_contenders import Skipped
from tqdm import tqdm

DEFAULT_FOLDER = Path("~/.cache/carla_unet_ros/benchmarks/smp")
PACKAGES = ("torch==2.14.1", "torchvision==0.29.1", "segmentation-models-pytorch==0.6.0")

_DONE = "installed.txt"


def python_of(folder: Path = DEFAULT_FOLDER) -> Path:
    """The Python of the environment in `folder`, which is made where it is not there whole.

    Raises Skipped. A half-made environment is made anew, as is one of other packages.
    """
    folder = folder.expanduser()
    python, done = folder / "bin" / "python", folder / _DONE
    wanted = f"{sys.version}\n" + "\n".join(PACKAGES)
    if python.exists() and done.exists() and done.read_text() == wanted:
        return python
    print(f"Making {folder} for segmentation_models_pytorch: about 5.5 GB, some minutes ...")
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], "venv")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", *PACKAGES]
    _run([*pip, "--progress-bar", "off"], "pip")
    done.write_text(wanted)
    return python


def _run(command: list[str], name: str) -> None:
    """Runs it to its end; Skipped with its last line where it fails."""
    last: deque[str] = deque(maxlen=1)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            for line in tqdm(process.stdout, name, unit=" lines", leave=False):
                last.extend([line.strip()] if line.strip() else [])
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        said = last[0] if last else "nothing"
        raise Skipped(f"{name} ended with status {process.returncode}, and said: {said}")
