# SPDX-License-Identifier: Apache-2.0
"""The grid as a message, as ground_grid_node publishes it."""

from typing import Any

from nav_msgs.msg import OccupancyGrid
from std_msgs.msg import Header

from carla_unet_ros.ground.ground_grid import Extent


def to_grid_message(cells: Any, extent: Extent, header: Header, frame: str) -> OccupancyGrid:
    """Cells int8 [rows, columns] as a message in the vehicle's frame, with the labels' stamp."""
    message = OccupancyGrid(header=Header(stamp=header.stamp, frame_id=frame))
    message.info.map_load_time = header.stamp
    message.info.resolution = extent.cell_size
    message.info.height, message.info.width = cells.shape
    message.info.origin.position.x = -extent.behind
    message.info.origin.position.y = -extent.right
    message.info.origin.orientation.w = 1.0
    message.data.frombytes(cells.data.cast("B"))
    return message
