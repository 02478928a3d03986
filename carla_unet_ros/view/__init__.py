# SPDX-License-Identifier: Apache-2.0
"""`carla_unet_view` shows in a browser what the nodes see and publish, on a time line."""
