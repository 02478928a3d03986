# SPDX-License-Identifier: Apache-2.0
"""Computes the occupancy of the ground around the vehicle from labels; knows no ROS.

Geometry: the ground is assumed to be flat, the plane z = 0 of the vehicle's frame (x ahead, y
left, z up, metres; REP 103). A pixel then sees exactly one point of the ground, where its ray
meets the plane (inverse perspective mapping: Mallot et al., "Inverse perspective mapping
simplifies optical flow computation and obstacle detection", Biological Cybernetics 64, 1991). So
each pixel belongs to one cell, until the lens or the mounting changes. `GroundGrid` computes this
table once; a frame then costs a lookup and a sum for each cell.

Limits of the flat ground: an upright object (a car, a pole) occupies the ground from its foot to
the end of what it hides. Hills, and the nod of a braking car, move far cells. At range x one row
of pixels spans x * x / (f * h) metres (2 m at 40 m for 800x600, 90 degrees, 2 m high).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carla_unet_ros.camera_model import BODY_OF_OPTICAL, Calibration
from carla_unet_ros.errors import InputError
from carla_unet_ros.labels import IGNORE, Uint8

FREE, OCCUPIED, UNKNOWN = 0, 100, -1
"""Cell values, those of nav_msgs/OccupancyGrid."""

_BODY_OF_OPTICAL = np.array(BODY_OF_OPTICAL)
_SAMPLES_A_CELL = 64
# One word counts both, so that one sum per frame is enough: the upper 16 bits count seen pixels,
# the lower 16 bits blocked ones.
_SEEN = np.uint32(1 << 16)
_BLOCKED = np.uint32(1)


@dataclass(frozen=True)
class Extent:
    """The area of the grid in metres from the vehicle's origin, and the size of its cells."""

    cell_size: float = 0.2
    ahead: float = 40.0
    behind: float = 0.0
    left: float = 20.0
    right: float = 20.0

    def __post_init__(self) -> None:
        cells = self.columns * self.rows if self.cell_size > 0 else 0
        if not 0 < cells <= 4_000_000:
            raise InputError(
                f"a grid {self.ahead + self.behind:g} m long and {self.left + self.right:g} m "
                f"wide with cells of {self.cell_size:g} m has {cells} cells; expected 1 to 4 "
                "million: set cell_size, ahead, behind, left and right"
            )

    @property
    def columns(self) -> int:
        """Cells along x, ahead."""
        return round((self.ahead + self.behind) / self.cell_size)

    @property
    def rows(self) -> int:
        """Cells along y, to the left."""
        return round((self.left + self.right) / self.cell_size)


@dataclass(frozen=True)
class CameraPose:
    """The place and direction of the camera in the vehicle's frame.

    position: x, y, z in metres; z is the height over the ground
    rotation: rows of the 3x3 matrix that turns camera axes (right, down, ahead) into the vehicle's
    """

    position: tuple[float, float, float]
    rotation: tuple[tuple[float, ...], ...]

    @staticmethod
    def from_angles(
        x: float, y: float, z: float, roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0
    ) -> "CameraPose":
        """The pose by its place in metres and its angles in degrees.

        The angles turn about the vehicle's axes x, y, z, in this order (REP 103). A positive pitch
        looks down, a positive yaw to the left, as in the bridge's objects file.
        """
        roll, pitch, yaw = np.radians((roll, pitch, yaw))
        about_x = _rotation(roll, 1, 2)
        about_y = _rotation(pitch, 2, 0)
        about_z = _rotation(yaw, 0, 1)
        return _pose((x, y, z), about_z @ about_y @ about_x @ _BODY_OF_OPTICAL)

    @staticmethod
    def from_quaternion(
        position: tuple[float, float, float],
        quaternion: tuple[float, float, float, float],
        optical: bool = True,
    ) -> "CameraPose":
        """The pose by a transform camera -> vehicle, as TF gives it; the quaternion is x, y, z, w.

        optical: whether the camera's frame has z ahead (REP 103, the bridge), or x ahead, as
                 CARLA's own ROS 2 interface sends it

        ValueError for a quaternion of length 0.
        """
        length = float(np.linalg.norm(quaternion))
        if not length > 0:
            raise InputError(f"quaternion {quaternion} has no length; expected a rotation")
        x, y, z, w = (part / length for part in quaternion)
        matrix = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        return _pose(position, matrix if optical else matrix @ _BODY_OF_OPTICAL)

    def is_close(self, other: "CameraPose") -> bool:
        """Whether both differ by less than 1 mm and 0.006 degrees, a shift below one pixel."""
        return np.allclose(self.position, other.position, rtol=0, atol=1e-3) and np.allclose(
            self.rotation, other.rotation, rtol=0, atol=1e-4
        )


class GroundGrid:
    """The table of which pixels see which cell, for one camera in one pose.

    cells:  the cells that are seen, in rising order, int64; row * columns + column
    pixels: the pixels that see them, cell by cell, int64; row * width + column
    starts: where the pixels of each cell begin, int64 [len(cells)]
    """

    def __init__(
        self,
        extent: Extent,
        calibration: Calibration,
        pose: CameraPose,
        ignored_bottom_rows: int = 0,
    ) -> None:
        """Computes the table.

        ignored_bottom_rows: pixel rows that show the vehicle's own bonnet

        ValueError where the camera is not above the ground, or sees no cell of the grid.
        """
        if not pose.position[2] > 0:
            raise InputError(
                f"the camera is at z = {pose.position[2]:g} m; expected a height above the ground"
            )
        self.extent = extent
        self.shape = calibration.height, calibration.width
        rows = max(0, calibration.height - ignored_bottom_rows)
        cells, pixels = _cells_of_pixels(extent, calibration, pose, rows)
        missed = np.setdiff1d(np.arange(extent.rows * extent.columns), cells)
        more_cells, more_pixels = _pixels_of_cells(missed, extent, calibration, pose, rows)
        cells, pixels = np.concatenate((cells, more_cells)), np.concatenate((pixels, more_pixels))
        if not cells.size:
            raise InputError(
                f"the camera at {pose.position} sees no ground inside the grid: check its pitch "
                "(positive looks down), the axes of its frame, the extent and the ignored rows"
            )
        self.cells, self.starts, self.pixels = _group_by_cell(cells, pixels)

    def occupancy(
        self, labels: Uint8, weights: npt.NDArray[np.uint32], blocked_share: float = 0.1
    ) -> npt.NDArray[np.int8]:
        """The cells of a label image, int8 [rows, columns].

        Row 0 is the rightmost one, column 0 the rearmost one. A cell is OCCUPIED if the share of
        its pixels that are not drivable is greater than blocked_share; UNKNOWN if it has no
        labelled pixel; else FREE.

        labels:        class ids uint8 [height, width]
        weights:       uint32 [256], from `class_weights`
        blocked_share: 0..1

        ValueError where the labels have not the size of the camera.
        """
        self.check_size(labels)
        sums = np.add.reduceat(weights[labels.reshape(-1)[self.pixels]], self.starts)
        seen = sums >> 16
        blocked = sums & 0xFFFF
        values = np.where(blocked > blocked_share * seen, OCCUPIED, FREE)
        grid = np.full(self.extent.rows * self.extent.columns, UNKNOWN, np.int8)
        grid[self.cells] = np.where(seen > 0, values, UNKNOWN)
        return grid.reshape(self.extent.rows, self.extent.columns)

    def check_size(self, labels: Uint8) -> None:
        """ValueError where the labels have not the size of the camera."""
        if labels.shape != self.shape:
            raise InputError(
                f"labels are {labels.shape[1]}x{labels.shape[0]}, the camera is "
                f"{self.shape[1]}x{self.shape[0]}; expected labels at the camera's resolution"
            )

    @property
    def first_seen(self) -> float:
        """Metres from the vehicle's origin to the nearest seen ground straight ahead; else 0."""
        size, middle = self.extent.cell_size, int(self.extent.right / self.extent.cell_size)
        row, column = np.divmod(self.cells, self.extent.columns)
        ahead = column[(row == middle) & ((column + 0.5) * size > self.extent.behind)]
        return float(ahead.min() * size - self.extent.behind) if ahead.size else 0.0


def class_weights(drivable: Iterable[int]) -> npt.NDArray[np.uint32]:
    """uint32 [256]: what a pixel adds to its cell, by its class id. IGNORE adds nothing."""
    weights = np.full(256, _SEEN | _BLOCKED, np.uint32)
    weights[list(drivable)] = _SEEN
    weights[IGNORE] = 0
    return weights


def _rotation(angle: float, first: int, second: int) -> npt.NDArray[np.float64]:
    """The matrix that turns axis `first` towards axis `second` by an angle in radians."""
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[second, first] = np.sin(angle)
    matrix[first, second] = -np.sin(angle)
    return matrix


def _pose(position: tuple[float, float, float], matrix: npt.NDArray[np.float64]) -> CameraPose:
    x, y, z = map(float, position)
    return CameraPose((x, y, z), tuple(tuple(map(float, row)) for row in matrix))


def _cells_of_pixels(
    extent: Extent, camera: Calibration, pose: CameraPose, rows: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cell index and pixel index of every pixel whose ray hits the ground inside the grid."""
    v, u = np.mgrid[0.5:rows, 0.5 : camera.width]
    right, down = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    rotation = np.array(pose.rotation)
    along_x, along_y, along_z = (
        row[0] * right + row[1] * down + row[2] for row in rotation[:, :, np.newaxis, np.newaxis]
    )
    # A ray that does not go down meets no ground in front of the camera: at or above the horizon.
    below_horizon = along_z < -1e-9
    metres = -pose.position[2] / np.where(below_horizon, along_z, -1.0)
    column = (pose.position[0] + metres * along_x + extent.behind) / extent.cell_size
    row = (pose.position[1] + metres * along_y + extent.right) / extent.cell_size
    inside = below_horizon & _within(column, extent.columns) & _within(row, extent.rows)
    cells = row[inside].astype(np.int64) * extent.columns + column[inside].astype(np.int64)
    return cells, np.flatnonzero(inside)


def _pixels_of_cells(
    cells: npt.NDArray[np.int64], extent: Extent, camera: Calibration, pose: CameraPose, rows: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The same for cells that no pixel's ray hits: the pixel that sees the centre of the cell."""
    row, column = np.divmod(cells, extent.columns)
    x = (column + 0.5) * extent.cell_size - extent.behind - pose.position[0]
    y = (row + 0.5) * extent.cell_size - extent.right - pose.position[1]
    z = np.full(len(cells), -pose.position[2])
    right, down, ahead = np.array(pose.rotation).T @ np.stack((x, y, z))
    in_front = ahead > 1e-9
    depth = np.where(in_front, ahead, 1.0)
    u = np.floor(camera.fx * right / depth + camera.cx)
    v = np.floor(camera.fy * down / depth + camera.cy)
    seen = in_front & _within(u, camera.width) & _within(v, rows)
    pixels = v[seen].astype(np.int64) * camera.width + u[seen].astype(np.int64)
    return cells[seen], pixels


def _within(values: npt.NDArray[np.float64], end: int) -> npt.NDArray[np.bool_]:
    return (values >= 0) & (values < end)


def _group_by_cell(
    cells: npt.NDArray[np.int64], pixels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Groups pixels by cell: the cells in rising order, where their pixels start, the pixels.

    Hundreds of pixels see a cell next to the bumper. Of these a fixed random choice is kept, so
    that a frame costs the same at any resolution. Every n-th pixel would cost as little, but could
    miss all stripes of a thin obstacle.
    """
    shuffled = np.random.default_rng(0).permutation(len(cells))
    order = shuffled[np.argsort(cells[shuffled], kind="stable")]
    _, starts, counts = np.unique(cells[order], return_index=True, return_counts=True)
    place_in_cell = np.arange(len(order)) - np.repeat(starts, counts)
    kept = order[place_in_cell < _SAMPLES_A_CELL]
    # Neighbouring pixels lie in neighbouring memory: reading them in order is faster.
    kept = kept[np.lexsort((pixels[kept], cells[kept]))]
    unique, starts = np.unique(cells[kept], return_index=True)
    return unique, starts, pixels[kept]
