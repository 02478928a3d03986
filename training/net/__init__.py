# SPDX-License-Identifier: Apache-2.0
"""The U-Net and what is computed with it: loss, decision, views, and the exported graph."""
