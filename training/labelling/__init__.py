# SPDX-License-Identifier: Apache-2.0
"""Pseudo-labels: what voting models, boxes and the scene say of frames that nobody labelled."""
