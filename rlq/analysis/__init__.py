"""What runs have learnt, beyond their scores: robustness, retrieval and probes, curves and pictures of them."""

from rlq.analysis.base import Analysis, Drawn
from rlq.analysis.catalogue import ANALYSES, analyse
from rlq.analysis.runs import Source, source

__all__ = ["ANALYSES", "Analysis", "Drawn", "Source", "analyse", "source"]
