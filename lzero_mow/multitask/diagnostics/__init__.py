"""Plasticity diagnostics: what a network can still learn, and how much its tasks interfere with each other."""
