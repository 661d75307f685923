"""Data: readers, schema, checks, fold plans, and preparations that are fitted in the fold."""

from workbench.data.building import build_dataset, load_dataset
from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan, make_plan
from workbench.data.identifiers import identifiers
from workbench.data.preparation import NativePreparation, Preparation, Prepared, ScaledPreparation
from workbench.data.readers import read_table
from workbench.data.schema import conform, infer_schema
from workbench.data.target import TargetTransform, target_kind

__all__ = [
    "Dataset",
    "FoldPlan",
    "NativePreparation",
    "Preparation",
    "Prepared",
    "ScaledPreparation",
    "TargetTransform",
    "build_dataset",
    "conform",
    "identifiers",
    "infer_schema",
    "load_dataset",
    "make_plan",
    "read_table",
    "target_kind",
]
