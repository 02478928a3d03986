"""`carla_unet_demo`: the nodes at work on the drawn drive."""
