"""AIXI approximations."""
