"""The node that segments the frames of cameras."""
