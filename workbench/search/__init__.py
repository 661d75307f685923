"""Engines that choose the next values, and the loop that drives them."""
