"""What was measured, as figures, tables, a plot and a section of docs/performance.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from compare_contenders import BASELINES, FRAMES, MESSAGES
from compare_processes import Times
from report import origin, table, write_section

Figures = dict[str, Any]

HEADS = (
    "",
    "frames/s",
    "median, ms",
    "95 %, ms",
    "memory, MB",
    "time, x the first",
    "same labels",
)


def figures(times: Times) -> Figures:
    """Frames a second, milliseconds a frame, and megabytes; the times themselves, too."""
    every = np.concatenate(times.ms)
    median, p95 = np.percentile(every, (50, 95))
    return {
        "frames_per_second": 1000 / float(every.mean()),
        "median_ms": float(median),
        "p95_ms": float(p95),
        "peak_mb": times.peak_mb,
        "rounds_ms": times.ms,
    }


def add_ratios(contenders: Sequence[Figures]) -> None:
    """`ratio`: how often the median of its group's baseline goes into its own; None without."""
    medians = {entry["name"]: entry["median_ms"] for entry in contenders}
    for entry in contenders:
        baseline = medians.get(BASELINES[entry["group"]])
        entry["ratio"] = entry["median_ms"] / baseline if baseline else None


def tables(results: Figures) -> str:
    """A table for each group, and what was skipped and why."""
    parts: list[str] = []
    for group in (FRAMES, MESSAGES):
        rows = [_row(entry) for entry in results["contenders"] if entry["group"] == group]
        if rows:
            parts.append(f"From {group}:\n\n" + table(HEADS, rows))
    parts += [f"Skipped: {title}: {reason}" for title, reason in results["skipped"].items()]
    return "\n\n".join(parts)


def _row(entry: Figures) -> list[object]:
    same = entry["same_labels"]
    return [
        f"{entry['title']} ({entry['software']})",
        entry["frames_per_second"],
        entry["median_ms"],
        entry["p95_ms"],
        f"{entry['peak_mb']:.0f}",
        "-" if entry["ratio"] is None else entry["ratio"],
        "-" if same is None else f"{same:.2%}",
    ]


def plot(results: Figures, path: Path) -> None:
    """A bar each, the median, with a line to the 95th percentile."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    entries = results["contenders"]
    places = range(len(entries))
    medians = [entry["median_ms"] for entry in entries]
    above = [entry["p95_ms"] - entry["median_ms"] for entry in entries]
    colours = ["tab:blue" if entry["group"] == FRAMES else "tab:orange" for entry in entries]
    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(entries) + 1.5))
    axes.barh(places, medians, xerr=[[0] * len(above), above], color=colours, capsize=3)
    for place, entry in zip(places, entries, strict=True):
        ratio = "" if entry["ratio"] is None else f", {entry['ratio']:.2g}x"
        text = f"  {entry['median_ms']:.0f} ms{ratio}"
        axes.text(entry["p95_ms"], place, text, va="center")
    axes.set_yticks(places, [entry["title"] for entry in entries])
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_xlabel("ms a frame: median, and line to the 95th percentile")
    for colour, group in (("tab:blue", FRAMES), ("tab:orange", MESSAGES)):
        axes.barh(0, 0, color=colour, label=group)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    figure.savefig(path, bbox_inches="tight", dpi=110)
    pyplot.close(figure)


def write_document(results: Figures, document: Path) -> None:
    """The section, and compare.png beside the document."""
    document.parent.mkdir(parents=True, exist_ok=True)
    plot(results, document.with_name("compare.png"))
    write_section("compare", section(results), document)


def section(results: Figures) -> str:
    width, height = results["network_size"]
    rounds, frames, views = results["rounds"], results["frames"], results["views"]
    looks = f" The shipped net looks {views} times at a frame, also in torch." if views > 1 else ""
    return f"""## Beside torch, another U-Net and a plain node

{origin(results)}; on the CPU alone. Frames of {results["frame_size"]} from
{results["source"]}; all nets at {width}x{height}; {results["weights"]}. Each contender is a
process of its own with all cores, and they took turns: {rounds} rounds of {frames} frames each,
{results["warm_up"]} more to warm up. Frames/s are of the mean time. Memory is the most each
process has held, its start included; a torch built for GPUs (+cu) takes more of it by itself.
Same labels: share of the first frame's pixels with the label that torch eager gives.{looks}

{tables(results)}

![milliseconds a frame of each contender](compare.png)"""
