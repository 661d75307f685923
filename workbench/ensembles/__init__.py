"""Blenders over out-of-fold predictions. They know neither search nor models."""
