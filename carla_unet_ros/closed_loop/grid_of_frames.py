# SPDX-License-Identifier: Apache-2.0
"""The grid that ground_grid_node publishes with its default parameters, without the node."""

from nav_msgs.msg import OccupancyGrid
from std_msgs.msg import Header

from carla_unet_ros.camera_model import Calibration
from carla_unet_ros.ground.cell_evidence import look_at_cells
from carla_unet_ros.ground.class_costs import DEFAULT_COSTS, DRIVABLE, cost_table, parse_costs
from carla_unet_ros.ground.connected_ground import keep_connected
from carla_unet_ros.ground.grid_message import to_grid_message
from carla_unet_ros.ground.ground_grid import CameraPose, Extent, GroundGrid
from carla_unet_ros.ground.ground_memory import GroundMemory, Place
from carla_unet_ros.labels import LabelSet
from carla_unet_ros.segmenter import Segmentation

_MEMORY = 3.0


class GridOfFrames:
    """Labels of one frame after the other -> the ground that is remembered of them."""

    def __init__(
        self, camera: Calibration, pose: CameraPose, labels: LabelSet, bonnet_rows: int
    ) -> None:
        self._extent = Extent()
        self._table = GroundGrid(self._extent, camera, pose, bonnet_rows)
        self._memory = GroundMemory(self._extent, _MEMORY)
        self._costs = cost_table(labels, parse_costs(DEFAULT_COSTS), labels.ids(DRIVABLE))

    def add(self, seen: Segmentation, place: Place, seconds: float) -> OccupancyGrid:
        """The grid with what this frame shows.

        place:   of the car, when the frame was taken
        seconds: when it was taken
        """
        cells = look_at_cells(self._table, seen.labels, self._costs, seen.confidence)
        self._memory.add(place, seconds, cells)
        values = self._memory.around(place).occupancy(self._costs)
        values = keep_connected(values, self._extent, self._table.first_seen)
        return to_grid_message(values, self._extent, Header(), "ego_vehicle")
