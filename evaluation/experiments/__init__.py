"""Experiments: each a function with a typed result, which `aixi experiment` runs and draws."""
