"""Training of the U-Net: data sets, augmentation, training, export. Needs torch; the vehicle side never does."""
