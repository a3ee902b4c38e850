"""Chains the stages of a run: record, annotate, replay, augment, check, train, evaluate, report."""

from .cfg import PipelineCfg, load_config
from .run import run_pipeline

__all__ = ["PipelineCfg", "load_config", "run_pipeline"]
