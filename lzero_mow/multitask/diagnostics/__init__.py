"""Plasticity diagnostics: what a network can still learn, and how much its tasks get in each other's way."""
