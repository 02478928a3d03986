# SPDX-License-Identifier: Apache-2.0
"""Loads batches from data sources: chooses the frames of an epoch and augments them.

Every random choice depends only on (seed, epoch, place in the epoch), not on the number of
workers. So a resumed run sees exactly the frames that an uninterrupted run sees.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from carla_unet_ros.errors import InputError
from carla_unet_ros.training.data.augmentation import Augmentation, to_tensors
from carla_unet_ros.training.data.folders import Pair, PairSource
from carla_unet_ros.training.data.mixing import is_drawn, mirror, mix, paste
from carla_unet_ros.training.data.rare_classes import NOTHING_RARE, RareClasses

Sample = tuple[Tensor, Tensor] | Exception

Batch = tuple[Tensor, Tensor] | Exception

_SHARED_MEMORY = Path("/dev/shm")
_MORE_MEMORY = "use --workers 0 or a smaller --batch, or give a container more with --shm-size=1g"


class EpochFrames(Dataset):
    """One epoch's augmented frames, drawn from several sources by their shares.

    sources: where the frames come from
    shares:  how much of the epoch each source fills; they need not sum to 1
    frames:  frames in the epoch; a source smaller than its part is used several times
    rare:    classes to paste from one frame into another of its source
    mix:     share of the frames that are mixed with a frame of any source
    """

    def __init__(
        self,
        sources: Sequence[PairSource],
        shares: Sequence[float],
        frames: int,
        augmentation: Augmentation,
        seed: int,
        epoch: int,
        rare: RareClasses = NOTHING_RARE,
        mix: float = 0.0,
    ) -> None:
        self._sources = sources
        self._shares = torch.tensor(shares, dtype=torch.float64)
        self._augmentation = augmentation
        self._rare = rare
        self._mix = mix
        self._seeds = seed, epoch
        sizes = [len(source) for source in sources]
        # An array and not a list: workers share its memory when they read it.
        self._draws = np.array(draw_epoch(sizes, shares, frames, seed, epoch), np.int64)

    def __len__(self) -> int:
        return len(self._draws)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame with its labels."""
        return 4 * self._augmentation.width * self._augmentation.height

    def __getitem__(self, place: int) -> Sample:
        """Frame uint8 [3, H, W] and labels uint8 [H, W], or the error of an unusable file.

        The error is returned, because torch puts a traceback around one that a worker raises.
        """
        try:
            return self._sample(place)
        except (InputError, OSError) as error:
            return error

    def _sample(self, place: int) -> tuple[Tensor, Tensor]:
        source, index = self._draws[place].tolist()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_mixed(*self._seeds, place))
            pair = self._pair(self._sources[source], index)
            frame, labels = self._augmentation(*to_tensors(*pair))
        # Bytes, because all batches of the workers are in shared memory at the same time.
        return frame.mul(255).round().byte(), labels.byte()

    def _pair(self, source: PairSource, index: int) -> Pair:
        """Reads a pair, and may mix it with another one."""
        pair = source.read(index)
        if is_drawn(self._mix):
            pair = mix(pair, _any_of(self._sources[int(torch.multinomial(self._shares, 1))]))
        if is_drawn(self._rare.paste):
            other = _any_of(source)
            if other.labels.shape == pair.labels.shape:
                other = mirror(other) if is_drawn(0.5) else other
                pair = paste(pair, other, self._rare.ids)
        return pair


def _any_of(source: PairSource) -> Pair:
    return source.read(int(torch.randint(len(source), ())))


def draw_epoch(
    sizes: Sequence[int], shares: Sequence[float], frames: int, seed: int, epoch: int
) -> list[tuple[int, int]]:
    """(source, index) of each frame of an epoch, shuffled.

    Each source has a shuffled order of its own that continues from epoch to epoch. So all frames
    of a source are seen before one is seen again.
    """
    draws: list[tuple[int, int]] = []
    for source, (size, count) in enumerate(zip(sizes, _parts(shares, frames), strict=True)):
        for position in range(epoch * count, (epoch + 1) * count):
            lap, place = divmod(position, size)
            draws.append((source, int(_permutation(size, _mixed(seed, source, lap))[place])))
    order = torch.randperm(len(draws), generator=_generator(_mixed(seed, -1, epoch)))
    return [draws[place] for place in order.tolist()]


def loader(
    frames: EpochFrames, batch: int, workers: int, rank: int = 0, processes: int = 1
) -> DataLoader:
    """Batches of (frames uint8 [N, 3, H, W], labels uint8 [N, H, W]) for one of the processes.

    n processes together get the same frames at a step as one process with batches n times as
    large. Frames at the end that do not fill such a batch are left out. An error of an unusable
    file takes the place of its batch: see `raise_errors`.

    Raises InputError if the shared memory is too small for the batches of the workers.
    """
    whole = len(frames) // (batch * processes) * batch * processes
    return DataLoader(
        frames,
        batch_size=batch,
        sampler=range(rank, whole, processes),
        num_workers=workers,
        prefetch_factor=_prefetch(batch * frames.frame_bytes, workers, processes),
        collate_fn=_batch_or_error,
        worker_init_fn=_single_threaded,
        pin_memory=torch.cuda.is_available(),
    )


def raise_errors(batches: Iterable[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields the batches of `loader`. Raises the error that took the place of one.

    Raises InputError if a worker process was killed.
    """
    try:
        for batch in batches:
            if isinstance(batch, Exception):
                raise batch
            yield batch
    except RuntimeError as error:
        if "shared memory" in str(error) or "DataLoader worker" in str(error):
            raise InputError(
                f"a process that reads frames has ended, probably for lack of memory "
                f"({str(error).partition(chr(10))[0]}): {_MORE_MEMORY}"
            ) from error
        raise


def _batch_or_error(samples: Sequence[Sample]) -> Batch:
    errors = (sample for sample in samples if isinstance(sample, Exception))
    return next(errors, None) or default_collate(list(samples))


def _prefetch(batch_bytes: int, workers: int, processes: int) -> int | None:
    """Batches that each worker prepares ahead: 2, or 1 where shared memory is short."""
    if not workers or not _SHARED_MEMORY.is_dir():
        return None
    free = shutil.disk_usage(_SHARED_MEMORY).free // processes
    for ahead in (2, 1):
        # One more is in use, and one is on its way.
        needed = batch_bytes * (workers * ahead + 2)
        if needed <= free:
            return ahead
    raise InputError(
        f"{_SHARED_MEMORY} has {free / 1e6:.0f} MB free for each process, but {workers} workers "
        f"with batches of {batch_bytes / 1e6:.1f} MB need {needed / 1e6:.0f} MB: {_MORE_MEMORY}"
    )


def _parts(shares: Sequence[float], frames: int) -> list[int]:
    """Whole frames for each share; the first source gets the rest of the rounding."""
    parts = [int(frames * share / sum(shares)) for share in shares]
    parts[0] += frames - sum(parts)
    return parts


_LAST_PERMUTATION: dict[tuple[int, int], Tensor] = {}


def _permutation(size: int, seed: int) -> Tensor:
    """A shuffled range. The last one is kept, because consecutive calls need the same one."""
    key = size, seed
    if key not in _LAST_PERMUTATION:
        _LAST_PERMUTATION.clear()
        _LAST_PERMUTATION[key] = torch.randperm(size, generator=_generator(seed))
    return _LAST_PERMUTATION[key]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _mixed(*parts: int) -> int:
    """One 63-bit seed from several numbers: a hash, so near numbers give very different seeds."""
    seed = 0x9E3779B97F4A7C15
    for part in parts:
        seed = (seed ^ part & (2**64 - 1)) * 0xBF58476D1CE4E5B9 % 2**64
        seed ^= seed >> 31
    return seed >> 1


def _single_threaded(_: int) -> None:
    """Limits a worker to one thread: workers run in parallel and share the cores."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
