"""What one training is made of: devices, optimisation, validation, checkpoints, its report."""
