"""A fitted blend as data: how members' predictions become one prediction, row by row, and JSON both ways.

It knows nothing of how it was found (`workbench.ensembles`) or of models. An exported model predicts with it.
"""
