"""Dynamic Parameter Scaling (ScaleZero section 4): solved tasks rest, and each stage trains a new adapter."""
