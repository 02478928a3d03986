"""Scores: the confusion matrix, and the node that fills it while driving."""
