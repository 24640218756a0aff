"""Analyses of finished runs beyond their scores: robustness, retrieval, probes, curves, maps and rank lists."""

from rlq.analysis.base import Analysis, Outcome
from rlq.analysis.catalogue import ANALYSES, analyse
from rlq.analysis.runs import Source, source

__all__ = ["ANALYSES", "Analysis", "Outcome", "Source", "analyse", "source"]
