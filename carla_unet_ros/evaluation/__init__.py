# SPDX-License-Identifier: Apache-2.0
"""How good labels are: the confusion matrix, and the node that scores labels while driving."""
