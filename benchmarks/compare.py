"""How fast the shipped model is beside torch, another U-Net and a plain node, in one run.

    python benchmarks/compare.py --data my_town --tags 0.9.15 --checkpoint runs/my_town/best.pt

All contenders run the same frames at the same network size, on the CPU, each in a process of its
own, and take turns: a few frames each, again and again, so that a change of the machine hits all
alike. Without --data the frames are of the procedural drive; without --checkpoint torch's weights
are random, which are as fast. segmentation_models_pytorch gets an environment of its own on
its first run (5.5 GB in ~/.cache/carla_unet_ros); --no-smp leaves it out.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import compare_smp
import numpy as np
from compare_contenders import BASELINES, CONTENDERS, FRAMES, Contender, Skipped, Work
from compare_frames import net_config, read_frames
from compare_processes import Worker, in_turns
from compare_report import add_ratios, figures, plot, tables, write_document
from report import add_options, conditions
from tqdm import tqdm

from carla_unet_ros.model_file import SHIPPED_INT8_MODEL, ModelError, read_model
from carla_unet_ros.training.net.checkpoints import CheckpointError
from carla_unet_ros.training.net.views import Views

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    options = parser.parse_args(words)
    if bool(options.data) != bool(options.tags):
        parser.error(
            "--data and --tags go together: the folder, and the CARLA version of its tags"
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        results = {
            **conditions("compare", words),
            **measured(options),
        }
    except (CheckpointError, ModelError, ValueError, RuntimeError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("compare.py: interrupted; nothing was written", file=sys.stderr)
        return _INTERRUPTED
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(tables(results))
    if options.document:
        write_document(results, options.document)
    else:
        plot(results, options.out.with_suffix(".png"))
    return 0


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """What the JSON holds beside machine and command."""
    model = read_model(options.model)
    config = net_config(options, model)
    frames = read_frames(options, model)
    chosen = [entry for entry in CONTENDERS if entry.name not in options.without]
    with tempfile.TemporaryDirectory(prefix="carla_unet_compare_") as folder:
        work = Work(
            model=str(model.path.absolute()),
            network_size=model.metadata.network_size,
            net=config.as_dict(),
            checkpoint=str(options.checkpoint.absolute()) if options.checkpoint else None,
            folder=folder,
            flips=model.metadata.flips,
            also=model.metadata.also,
        )
        np.save(work.frames, frames)
        contenders, skipped = compared(chosen, work, options)
    return {
        "model": model.name,
        "precision": model.metadata.precision,
        "network_size": model.metadata.network_size,
        "views": Views(model.metadata.also, model.metadata.flips).count,
        "net": config.as_dict(),
        "weights": f"torch runs the weights of {options.checkpoint.name}"
        if options.checkpoint
        else "the weights in torch are random",
        "source": options.data.name if options.data else "the procedural drive",
        "frame_size": f"{frames.shape[2]}x{frames.shape[1]}",
        "frames": len(frames),
        "rounds": options.rounds,
        "warm_up": options.warm_up,
        "contenders": contenders,
        "skipped": skipped,
    }


def compared(
    chosen: Sequence[Contender], work: Work, options: argparse.Namespace
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Figures of each contender that runs here, and why the others do not, by title."""
    workers: list[Worker] = []
    skipped: dict[str, str] = {}
    with ExitStack() as stack:
        for contender in tqdm(chosen, "starting"):
            started = _started(contender, work, stack)
            if isinstance(started, Worker):
                workers.append(started)
            else:
                skipped[contender.title] = started
        times = in_turns(workers, options.rounds, options.warm_up)
    contenders = [
        {
            **worker.contender._asdict(),
            "software": worker.software,
            **figures(times[worker.contender.name]),
            "same_labels": same_labels(worker.contender.name, work),
        }
        for worker in workers
    ]
    add_ratios(contenders)
    return contenders, skipped


def _started(contender: Contender, work: Work, stack: ExitStack) -> Worker | str:
    """Its process, ready, which ends with `stack`; or why it cannot run here."""
    try:
        python = compare_smp.python_of() if contender.name == "smp" else None
        worker = stack.enter_context(closing(Worker(contender, work, python)))
        worker.wait_until_ready()
    except Skipped as reason:
        tqdm.write(f"skipped: {contender.title}: {reason}")
        return str(reason)
    return worker


def same_labels(name: str, work: Work) -> float | None:
    """Share of the first frame's labels that are torch eager's; None where the weights differ."""
    ours = name in BASELINES.values()
    if name == "smp" or (ours and not work.checkpoint) or not work.labels_of("eager").exists():
        return None
    found, expected = (np.load(work.labels_of(one)) for one in (name, "eager"))
    return float((found == expected).mean())


def _parser() -> argparse.ArgumentParser:
    names = [contender.name for contender in CONTENDERS if contender.name != BASELINES[FRAMES]]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, help="folder of pairs; frames are taken from its validation list")
    add("--tags", help="CARLA version whose tags its masks hold: 0.8.x, 0.9.13, ...")
    add("--frames", type=_positive, default=10, help="of each contender a round (%(default)s)")
    add("--rounds", type=_positive, default=10, help="that are counted (%(default)s)")
    add("--warm-up", type=int, default=1, metavar="ROUNDS", help="not counted (%(default)s)")
    add(
        "--model",
        type=Path,
        default=SHIPPED_INT8_MODEL,
        help="default: the shipped one that OpenVINO takes, int8",
    )
    add("--checkpoint", type=Path, help="what the model was exported from: torch runs its "
        "weights, and the four options below are not needed")  # fmt: skip
    add("--channels", type=int, default=24, help="of the model's net (%(default)s)")
    add("--depth", type=int, default=5, help="of the model's net (%(default)s)")
    add("--stem", type=int, default=2, help="of the model's net (%(default)s)")
    add("--max-channels", type=int, default=128, help="of the model's net (%(default)s)")
    add("--without", nargs="+", action="extend", default=[], choices=names, metavar="NAME",
        help=f"contenders to leave out: {', '.join(names)}")  # fmt: skip
    add("--no-smp", action="append_const", dest="without", const="smp",
        help="leave out segmentation_models_pytorch, whose environment takes 5.5 GB")  # fmt: skip
    add_options(parser, "compare")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive whole number")
    return int(text)


if __name__ == "__main__":
    # As Ctrl-C, so that the processes end then, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
