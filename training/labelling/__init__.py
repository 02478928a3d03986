# SPDX-License-Identifier: Apache-2.0
"""Makes pseudo-labels from voting models, boxes and the scene."""
