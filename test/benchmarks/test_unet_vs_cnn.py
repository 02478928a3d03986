"""benchmarks/unet_vs_cnn.py: seams and costs counted by hand, what is shown, what is written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import painted_pairs
import pytest

torch = pytest.importorskip("torch")

import boundary
import net_cost
import unet_vs_cnn
import unet_vs_cnn_contest
import unet_vs_cnn_pictures
from boundary import BoundaryIoU, distance_of
from unet_vs_cnn_document import Figures, NetFigures, document, thin_classes

from carla_unet_ros.labels import IGNORE, carla_13
from carla_unet_ros.training.data.folders import DataError, PairFolder
from carla_unet_ros.training.net.checkpoints import read_checkpoint
from carla_unet_ros.training.net.unet import UNetConfig

pytestmark = pytest.mark.training


def test_the_boundary_of_a_square_is_its_rim() -> None:
    """5x5 pixels in the middle of 9x9: at 1 all but the inner 3x3, at 2 all but one, at 3 all."""
    mask = np.zeros((9, 9), np.uint8)
    mask[2:7, 2:7] = 1
    assert [int(boundary.boundary(mask, distance).sum()) for distance in (1, 2, 3)] == [16, 24, 25]
    assert not boundary.boundary(mask, 1)[3:6, 3:6].any()


def test_the_border_of_the_picture_is_contour() -> None:
    """All of 4x6 pixels is one class: its rim has 24 - 2 x 4 pixels."""
    assert boundary.boundary(np.ones((4, 6), np.uint8), 1).sum() == 16


def test_boundary_iou_of_a_shifted_square_by_hand() -> None:
    """A 5x5 square in 9x9, called one column too far right; distance 1.

    Rims of 16 pixels each. Top and bottom rows share 4 pixels each. Of the left and right columns
    between them, each rim's own (columns 2 and 6, and 3 and 7) meets nothing of the other: 8
    shared, 16 + 16 - 8 = 24 in either. IoU of the squares is 20 / 30.
    """
    truth, prediction = np.zeros((2, 9, 9), np.uint8)
    truth[2:7, 2:7] = 1
    prediction[2:7, 3:8] = 1
    score = BoundaryIoU(3, 1)
    score.add(truth, prediction)
    assert score.iou()[1] == pytest.approx(8 / 24)
    assert np.isnan(score.iou()[2])
    assert score.thinness()[1] == pytest.approx(16 / 25)
    thick = BoundaryIoU(3, 3)
    thick.add(truth, prediction)
    assert thick.iou()[1] == pytest.approx(20 / 30)


def test_the_mean_is_over_the_classes_in_the_truth_and_all_frames() -> None:
    """Class 0 fills the first frame, 2x2, and is right; of the second's 4 pixels it has none.

    There the truth is class 1 and class 2 is called: class 0 has 4 / 4, class 1 has 0 / 4; class
    2 is not in the truth.
    """
    score = BoundaryIoU(4, 1)
    for true, called in ((0, 0), (1, 2)):
        score.add(np.full((2, 2), true, np.uint8), np.full((2, 2), called, np.uint8))
    assert score.mean_iou() == pytest.approx((1 + 0) / 2)
    assert score.iou()[2] == 0


def test_unlabelled_pixels_count_for_no_class() -> None:
    truth = np.array([[1, IGNORE, IGNORE]], np.uint8)
    score = BoundaryIoU(2, 1)
    score.add(truth, np.array([[1, 1, 0]], np.uint8))
    assert score.iou()[1] == 1
    assert np.isnan(score.iou()[0])


def test_distances_are_pixels_or_shares_of_the_diagonal() -> None:
    """800x600 has a diagonal of 1000."""
    assert [distance_of(text, 600, 800) for text in ("2%", "3", "0.01%")] == [20, 3, 1]
    for text in ("two", "0", "-1%", "nan"):
        with pytest.raises(ValueError, match="is no distance"):
            distance_of(text, 600, 800)


def test_multiply_adds_of_a_net_as_counted_by_hand() -> None:
    """2 levels of 2 and 4 channels at 8x4, 3 classes; 9 weights a 3x3 convolution.

    Way down: 3 -> 2 -> 2 at 32 pixels, 2 -> 4 -> 4 at 8. Way up: 4 -> 2, a weight for each of the
    32 pixels, then 4 -> 2 -> 2, or 2 -> 2 -> 2 without the skip; the head 2 -> 3.
    """
    config = UNetConfig(classes=3, channels=2, depth=1)
    down = 9 * 32 * (3 * 2 + 2 * 2) + 9 * 8 * (2 * 4 + 4 * 4)
    up, head = 32 * 4 * 2, 32 * 2 * 3
    with_skip = down + up + 9 * 32 * (4 * 2 + 2 * 2) + head
    without = down + up + 9 * 32 * (2 * 2 + 2 * 2) + head
    assert net_cost.multiply_adds(config, (8, 4)) == with_skip
    assert net_cost.multiply_adds(replace(config, skips=False), (8, 4)) == without


@pytest.mark.parametrize("config", [UNetConfig(channels=8, max_channels=64), UNetConfig(depth=3)])
def test_the_net_of_equal_cost_is_wider_and_has_no_skips(config: UNetConfig) -> None:
    found = net_cost.equal_cost(config, (96, 64))
    costs = [net_cost.multiply_adds(net, (96, 64)) for net in (config, found)]
    assert costs[1] == pytest.approx(costs[0], rel=0.03)
    assert not found.skips
    assert all(wide >= net for wide, net in zip(found.widths, config.widths, strict=True))
    assert sum(found.widths) > sum(config.widths)


def test_a_detail_is_where_thin_things_are() -> None:
    """Two posts of class 5 side by side in a field of 64x48, one far off: a quarter shows two."""
    truth = np.zeros((48, 64), np.uint8)
    truth[20:26, [40, 44]] = 5
    truth[20:26, 2] = 5
    detail = unet_vs_cnn_pictures.detail_of(truth, [5])
    assert detail.contours == 12
    assert (truth[detail.rows, detail.columns] == 5).sum() == 12
    assert truth[detail.rows, detail.columns].shape == (12, 16)


def figures() -> Figures:
    """Three classes: a thick one, a thin one, and one that does not occur."""
    net = NetFigures(
        title="U-Net",
        widths=[8, 16],
        weights=123_000,
        multiply_adds=2_000_000_000,
        mean_iou=0.7,
        pixel_accuracy=0.95,
        iou=[0.9, 0.5, None],
        boundary=[[0.6, 0.5, None]],
        boundary_mean=[0.55],
    )
    bare = replace(net, title="without skips", iou=[0.85, 0.1, None])
    wide = replace(net, title="equal", iou=[0.91, 0.25, None])
    return Figures(
        *("the command", [net, bare, wide], ["Roads", "Poles", "Signs"], [0.2, 0.9, None]),
        *([3], 4, 1, (800, 600), (400, 200), "Trained on made-up frames."),
    )


def test_the_thinnest_third_of_the_classes_that_occur() -> None:
    assert thin_classes([0.1, 0.9, None, 0.5, 0.2, 1.0, 0.3]) == [5, 1]
    assert thin_classes([None, 0.4]) == [1]


def test_the_document_holds_the_figures() -> None:
    """A place of the bottleneck: 16 pixels of the net, each 2x3 of the camera."""
    text = document(figures(), "picture.png")
    assert "    the command\n" in text
    assert "one place of the bottleneck stands for 32x48 pixels" in " ".join(text.split())
    assert "| U-Net | 8, 16 | 0.12 | 2.00 | 0.700 | 0.550 | 0.950 |" in text
    assert "| thinnest: Poles | 0.500 | 0.100 | 0.250 | 20 % | 50 % |" in text
    assert "| all others | 0.900 | 0.850 | 0.910 | 94 % | 101 % |" in text
    assert "| Roads | 20 % | 0.900 | 0.850 | 0.910 | -1.0 |" in text
    assert text.index("| Poles | 90 % |") < text.index("| Roads | 20 % |")
    assert "| Signs |" not in text
    assert "](picture.png)" in text
    assert "](picture.png)" not in document(figures(), None)
    assert "nan" not in text
    assert all(len(line) < 100 for line in text.splitlines() if not line.startswith("|"))


@pytest.mark.parametrize("place", range(3))
def test_the_prose_does_not_depend_on_who_won(place: int) -> None:
    """With the nets' scores exchanged, only rows of tables change."""
    before = figures()
    scores = before.nets[place:] + before.nets[:place]
    nets = [replace(net, iou=other.iou) for net, other in zip(before.nets, scores, strict=True)]
    prose = [
        [line for line in document(entry, None).splitlines() if not line.startswith("|")]
        for entry in (before, replace(before, nets=nets))
    ]
    assert prose[0] == prose[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = painted_pairs.write(tmp_path_factory.mktemp("pairs"), 8)
    (folder / "train.txt").write_text("000\n001\n002\n003\n004\n005\n")
    (folder / "val.txt").write_text("006\n007\n")
    return folder


TINY = (
    "--channels 2 --depth 2 --max-channels 8 --network-size 96x64 --crop 32x32 --epochs 1 "
    "--frames 4 --batch 4 --workers 0 --precision fp32 --accelerator cpu"
)


def test_one_command_trains_scores_and_writes(folder: Path, tmp_path: Path) -> None:
    """Frames of one's own: no picture lands beside the document."""
    out, docs = tmp_path / "runs", tmp_path / "docs"
    options = ["--data", str(folder), "--tags", "0.8.x", "--out", str(out), "--docs", str(docs)]
    options += ["--pictures", str(tmp_path / "pictures"), *TINY.split()]
    assert unet_vs_cnn.main(options) == 0
    text = (docs / "unet_vs_cnn.md").read_text()
    assert "| wider without skips |" in text
    assert "boundary IoU, 2 px | boundary IoU, 3 px" in text  # the diagonal: 115
    assert [path.name for path in docs.iterdir()] == ["unet_vs_cnn.md"]
    assert (tmp_path / "pictures" / "unet_vs_cnn.png").stat().st_size > 1000
    assert str(tmp_path) not in text
    runs = [read_checkpoint(out / name / "last.pt") for name in ("unet", "no_skips", "equal_cost")]
    assert [run["net_config"]["skips"] for run in runs] == [True, False, False]
    same = [{key: value for key, value in run["options"].items() if key not in
             ("out", "channels", "max-channels", "skips")} for run in runs]  # fmt: skip
    assert same[0] == same[1] == same[2]
    assert same[0]["epochs"] == 1


def test_the_streets_of_the_drive_are_trained_on_or_scored_on(tmp_path: Path) -> None:
    data = unet_vs_cnn_contest.data_of(None, None, tmp_path, (2, 2))
    train, test = ((tmp_path / f"{part}.txt").read_text().split() for part in ("train", "test"))
    assert data.test == test
    assert not set(train) & set(test)
    frames = PairFolder(tmp_path, data.tags, carla_13(), [*train, *test])
    pictures = [frames.read(index).frame.astype(int) for index in range(4)]
    assert all(np.abs(pictures[a] - pictures[b]).mean() > 1 for a in range(4) for b in range(a))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--no-skips"], "leave it out"),
        (["--tags", "0.1"], "no tag table"),
        (["--boundary", "wide"], "'wide' is no distance"),
    ],
)
def test_errors_are_sentences(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(unet_vs_cnn_contest.Contest, "trained", lambda *_: None)
    options = ["--data", str(folder), "--tags", "0.8.x", "--out", str(tmp_path / "runs")]
    assert unet_vs_cnn.main([*options, "--docs", str(tmp_path), *TINY.split(), *change]) == 1
    assert message in capsys.readouterr().err


def test_data_needs_its_version(folder: Path) -> None:
    with pytest.raises(DataError, match="needs --tags"):
        unet_vs_cnn_contest.data_of(folder, None, folder, (1, 1))
