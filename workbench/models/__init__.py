"""Factories: how they declare hyperparameters, how they are called and identified, and the built-in families."""
