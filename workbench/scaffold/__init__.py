"""``workbench init``: an experiment to start from, made from the tables themselves."""

from workbench.scaffold.creation import Scaffold, create
from workbench.scaffold.inference import Finding, Inference
from workbench.scaffold.report import show
from workbench.scaffold.tables import Tables

__all__ = ["Finding", "Inference", "Scaffold", "Tables", "create", "show"]
