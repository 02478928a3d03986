"""A camera without a simulator: the node, the drive that it shows, the drawn town."""
