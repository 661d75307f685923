"""``workbench show``: a family's model of its defaults as a text picture, 80 columns wide."""

from workbench.picture.drawing import draw

__all__ = ["draw"]
