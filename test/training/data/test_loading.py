# SPDX-License-Identifier: Apache-2.0
"""What an epoch draws, what a process gets of it, that frames and labels stay together, memory."""

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import painted_pairs
import pytest

torch = pytest.importorskip("torch")

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.pictures import PictureError
from carla_unet_ros.training.data.augmentation import Augmentation, relight
from carla_unet_ros.training.data.folders import PairFolder
from carla_unet_ros.training.data.loading import EpochFrames, draw_epoch, loader, raise_errors
from carla_unet_ros.training.data.rare_classes import RareClasses
from carla_unet_ros.training.data.weather import Weather

pytestmark = pytest.mark.training


def test_weather_comes_last_and_a_bonnet_brings_its_labels() -> None:
    torch.manual_seed(0)
    road = torch.full((48, 64), 7, dtype=torch.uint8)
    frame, labels = Augmentation(64, 48, weather=Weather(1.0, 1.0))(torch.rand(3, 48, 64), road)
    assert (labels[-1] == 10).any()
    assert 0 <= frame.min() <= frame.max() <= 1


def test_shares_fill_the_epoch() -> None:
    draws = draw_epoch([10, 1000], [3, 1], frames=80, seed=0, epoch=0)
    assert Counter(source for source, _ in draws) == {0: 60, 1: 20}
    assert Counter(Counter(draws)[0, index] for index in range(10)) == {6: 10}


def test_all_of_a_source_is_seen_before_any_of_it_again() -> None:
    seen = [index for epoch in range(4) for _, index in draw_epoch([40], [1], 10, 7, epoch)]
    assert sorted(seen) == list(range(40))


def test_draws_depend_on_seed_and_epoch_alone() -> None:
    same = [draw_epoch([50, 9], [1, 1], 20, seed=3, epoch=5) for _ in range(2)]
    assert same[0] == same[1]
    assert same[0] != draw_epoch([50, 9], [1, 1], 20, seed=4, epoch=5)
    assert same[0] != draw_epoch([50, 9], [1, 1], 20, seed=3, epoch=6)


def frames_of(tmp_path: Path, frames: int = 8) -> EpochFrames:
    """With all that is drawn by dice: crops, light, and parts of other frames."""
    folder = painted_pairs.write(tmp_path, 6)
    source = PairFolder(folder, "0.8.x", carla_13())
    rare = RareClasses((4, 5), 0.5, 0.5)
    augmentation = Augmentation(width=48, height=32, rare=rare, relit=0.5)
    return EpochFrames([source], [1], frames, augmentation, 1, 2, rare, mix=0.5)


def test_workers_change_nothing(tmp_path: Path) -> None:
    frames = frames_of(tmp_path)
    alone, helped = (list(loader(frames, 4, workers)) for workers in (0, 2))
    for (frame, labels), (other_frame, other_labels) in zip(alone, helped, strict=True):
        assert torch.equal(frame, other_frame)
        assert torch.equal(labels, other_labels)


def test_the_error_of_a_file_that_a_worker_met_is_the_files_own(tmp_path: Path) -> None:
    """torch alone would put a traceback of twenty lines around it."""
    frames = frames_of(tmp_path)
    (tmp_path / "label" / "003.png").write_bytes(b"")
    with pytest.raises(
        PictureError, match=rf"^{tmp_path}/label/003\.png is empty: it has no data$"
    ):
        list(raise_errors(loader(frames, 4, workers=1)))


def free_memory(monkeypatch: pytest.MonkeyPatch, megabytes: int) -> None:
    usage = SimpleNamespace(free=megabytes * 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_workers_prepare_as_much_as_shared_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of 8 frames, 512x384 x 4 bytes, are 6.3 MB: in the 64 MB of a container there is
    room for two of each of two workers and two more; in 30 MB for one of each."""
    frames = frames_of(tmp_path)
    frames._augmentation = Augmentation(512, 384)
    for megabytes, ahead in ((64, 2), (30, 1)):
        free_memory(monkeypatch, megabytes)
        assert loader(frames, 8, workers=2).prefetch_factor == ahead
    free_memory(monkeypatch, 20)
    with pytest.raises(InputError, match=r"20 MB free .* 2 workers .* need 25 MB: use"):
        loader(frames, 8, workers=2)
    assert loader(frames, 8, workers=0).prefetch_factor is None


@pytest.mark.parametrize(
    "text",
    [
        "unable to allocate shared memory(shm) for file </torch_1>: Resource unavailable (11)",
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that",
    ],
)
def test_a_worker_that_memory_killed_is_told_in_a_sentence(text: str) -> None:
    def batches() -> Iterator[Any]:
        raise RuntimeError(text)
        yield

    with pytest.raises(InputError, match=r"for lack of memory .*--shm-size"):
        list(raise_errors(batches()))


@pytest.mark.parametrize("frames", [8, 11])
def test_the_processes_share_each_batch_and_drop_what_fills_none(
    frames: int, tmp_path: Path
) -> None:
    """11 frames are one batch of 8 for two processes with 4 each; no frame comes twice."""
    epoch = frames_of(tmp_path, frames)
    (whole,) = loader(epoch, 8, workers=0)
    halves = [list(loader(epoch, 4, workers=0, rank=rank, processes=2)) for rank in range(2)]
    assert [len(half) for half in halves] == [1, 1]
    for place in range(8):
        colours, labels = halves[place % 2][0]
        assert torch.equal(colours[place // 2], whole[0][place])
        assert torch.equal(labels[place // 2], whole[1][place])


def test_augmented_frames_have_the_crop_size_and_known_ids(tmp_path: Path) -> None:
    for frame, labels in loader(frames_of(tmp_path), 4, 0):
        assert frame.shape == (4, 3, 32, 48)
        assert labels.shape == (4, 32, 48)
        assert frame.dtype == torch.uint8
        assert set(labels.unique().tolist()) <= {*range(13), IGNORE}


def test_labels_stay_on_their_pixels() -> None:
    """A frame whose red is its class id: geometry alone must keep the two together."""
    augmentation = Augmentation(width=48, height=32)
    augmentation._light = ()  # type: ignore[assignment]
    labels = torch.zeros(64, 96, dtype=torch.uint8)
    labels[20:50, 30:70] = 12
    frame = (labels.float() / 12).expand(3, -1, -1)
    agree = []
    for seed in range(20):
        torch.manual_seed(seed)
        colours, ids = augmentation(frame, labels)
        known = ids != IGNORE
        agree.append(((colours[0] > 0.5) == (ids == 12))[known].float().mean().item())
    assert np.mean(agree) > 0.98


def test_crops_look_for_rare_classes() -> None:
    """A class in one corner of the frame is in nearly every crop that looks for it."""
    labels = torch.zeros(64, 96, dtype=torch.uint8)
    labels[:4, :4] = 4
    frame = torch.zeros(3, 64, 96)
    found = []
    for crops in (0.0, 1.0):
        augmentation = Augmentation(48, 32, (0.1, 0.3), RareClasses((4,), crops, paste=0.0))
        torch.manual_seed(0)
        found.append(sum(bool((augmentation(frame, labels)[1] == 4).any()) for _ in range(60)))
    by_chance, looked_for = found
    assert looked_for > 2 * by_chance


def test_each_class_gets_a_light_of_its_own() -> None:
    """Two classes of one grey: each stays even, all channels in 0..1, and they come apart."""
    labels = torch.zeros(4, 6, dtype=torch.long)
    labels[:, 3:] = 7
    labels[0, 0] = IGNORE
    torch.manual_seed(0)
    frame = relight(torch.full((1, 3, 4, 6), 0.5), labels)[0]
    road, sky = frame[:, labels == 7], frame[:, labels == 0]
    assert (road.std(dim=1) < 1e-6).all()
    assert (sky.std(dim=1) < 1e-6).all()
    assert (road[:, 0] - sky[:, 0]).abs().max() > 0.02
    assert frame.min() >= 0
    assert frame.max() <= 1


@pytest.fixture
def large_folder(tmp_path: Path) -> Iterator[Path]:
    """100,000 names for 8 tiny files of tags, which are frames and masks in one."""
    painted_pairs.write(tmp_path, 8, width=32, height=24)
    shutil.rmtree(tmp_path / "rgb")
    (tmp_path / "rgb").symlink_to(tmp_path / "label")
    for index in range(8, 100_000):
        os.link(tmp_path / f"label/{index % 8:03}.png", tmp_path / f"label/{index:06}.png")
    yield tmp_path
    shutil.rmtree(tmp_path / "label")


class NoAugmentation(Augmentation):
    """Not what this is about, and most of the time."""

    def __init__(self) -> None:
        super().__init__(32, 24)

    def __call__(self, frame: Any, labels: Any) -> tuple[Any, Any]:
        return frame, labels


def test_memory_stays_flat_over_100_000_listed_frames(large_folder: Path) -> None:
    """Between the 500th frame and the 3500th no process takes 4 MiB more.

    With a list of paths instead of arrays it was 14 to 21: whoever reads a Python object writes
    into it how many use it, and so copies the page it is on. In a fresh process: the memory of
    this one moves with whatever ran before.
    """
    command = "import sys, test_loading; print(test_loading.memory_growth(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", command, str(large_folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    growth = json.loads(done.stdout)
    assert len(growth) == 3
    assert max(growth) < 4, growth


def memory_growth(folder: str) -> list[float]:
    """MiB that this process and its two workers take more, late in reading than early."""
    source = PairFolder(Path(folder), "0.8.x", carla_13())
    assert len(set(source.names)) == 100_000
    frames = EpochFrames([source], [1], 100_000, NoAugmentation(), seed=0, epoch=0)
    batches = iter(loader(frames, 50, workers=2))
    memory = []
    for count in (10, 60):
        assert len(list(islice(batches, count))) == count
        processes = [os.getpid(), *(worker.pid for worker in multiprocessing.active_children())]
        memory.append([private_memory(process) for process in processes])
    return [(late - early) / 2**20 for early, late in zip(*memory, strict=True)]


def private_memory(process: int | None) -> int:
    """Bytes of memory that a process shares with no other."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return 1024 * sum(int(size) for size in re.findall(r"Private_\w+:\s+(\d+) kB", text))
