"""Dynamic Parameter Scaling (ScaleZero section 4): solved tasks leave, and stage by stage a new adapter learns."""
