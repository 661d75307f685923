"""Complete trials from one member of a team to another: ``workbench pack`` and ``workbench merge``.

From Python: `workbench.exchange.packing.pack` and `workbench.exchange.merging.merge`.
"""
