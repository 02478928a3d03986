# SPDX-License-Identifier: Apache-2.0
"""TensorRT: builds engines, keeps them in a cache and runs them on an NVIDIA GPU."""
