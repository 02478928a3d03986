"""Data sets, training, evaluation, export. Training needs torch; the vehicle side never does."""
