# SPDX-License-Identifier: Apache-2.0
"""`carla_unet_demo` runs the nodes on a drawn drive, without a simulator."""
