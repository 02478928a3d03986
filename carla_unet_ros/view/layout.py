# SPDX-License-Identifier: Apache-2.0
"""What the page shows, and where: Rerun's blueprint for the entities of time_line.py."""

# Rerun loads most of its names when they are asked for.
# pyright: reportAttributeAccessIssue=false

import rerun as rr
import rerun.blueprint as rrb

TIME = "stamp"
FRAME, LABELS, CONFIDENCE = "camera/frame", "camera/labels", "confidence"
TRUTH, GRID = "truth", "grid"
IOU, RATE, AGE = "figures/iou", "figures/rate", "figures/age"

_SHOWN_SECONDS = 30.0


def make_layout() -> rrb.Blueprint:
    """The overlay is large; the other pictures stand below it, the figures beside it."""
    solid = rr.SegmentationImage.from_fields(opacity=1.0)
    pictures = rrb.Horizontal(
        _picture("Camera", FRAME),
        rrb.Spatial2DView(
            name="Labels", origin="camera", contents=LABELS, overrides={LABELS: solid}
        ),
        _picture("Confidence", CONFIDENCE),
        _picture("Truth", TRUTH),
    )
    overlay = rrb.Spatial2DView(name="Overlay", origin="camera", contents=[FRAME, LABELS])
    figures = rrb.Vertical(
        _picture("Grid", GRID),
        _curves("IoU over the last pairs", IOU),
        _curves("Rate (Hz)", RATE),
        _curves("Age and engine time (ms)", AGE),
    )
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Vertical(overlay, pictures, row_shares=[5, 2]), figures, column_shares=[3, 1]
        ),
        rrb.TimePanel(state="collapsed", timeline=TIME),
        rrb.SelectionPanel(state="collapsed"),
        rrb.BlueprintPanel(state="collapsed"),
    )


def _picture(name: str, entity: str) -> rrb.Spatial2DView:
    return rrb.Spatial2DView(name=name, origin=entity)


def _curves(name: str, entity: str) -> rrb.TimeSeriesView:
    """The last seconds before the time that is looked at."""
    start = rrb.TimeRangeBoundary.cursor_relative(seconds=-_SHOWN_SECONDS)
    end = rrb.TimeRangeBoundary.cursor_relative()
    return rrb.TimeSeriesView(
        name=name, origin=entity, time_ranges=rrb.VisibleTimeRange(TIME, start=start, end=end)
    )
