"""From labels to the drivable ground around the vehicle."""
