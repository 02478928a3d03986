"""The drivable ground around the vehicle, computed from labels."""
