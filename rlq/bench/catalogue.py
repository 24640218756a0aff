"""Name -> benchmark, in the order in which they run."""

import time
from collections.abc import Callable
from dataclasses import replace

from rlq.bench import clusters, data, degradation, embedding, evaluation, gpu, growth, startup, step, tracking
from rlq.bench.findings import Findings
from rlq.bench.measuring import Options
from rlq.core.errors import RlqError

BENCHES: dict[str, Callable[[Options], Findings]] = {
    "evaluation": evaluation.bench,
    "data": data.bench,
    "artefacts": degradation.bench,
    "step": step.bench,
    "embedding": embedding.bench,
    "clusters": clusters.bench,
    "tracking": tracking.bench,
    "startup": startup.bench,
    "growth": growth.bench,
    "gpu": gpu.bench,
}

TOO_SMALL = "These sizes are too small for the goals to mean anything, so they are left out."


def check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The benchmarks that are asked for, all without a name. Raises RlqError for an unknown one."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise RlqError(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHES)}")
    return names or tuple(BENCHES)


def run_one(name: str, options: Options) -> tuple[Findings, float]:
    """What it finds, and how long that took. Quick runs are held against no goal."""
    started = time.perf_counter()
    findings = BENCHES[name](options)
    if options.quick and findings.goals:
        findings = replace(findings, goals=(), notes=(*findings.notes, TOO_SMALL))
    return findings, time.perf_counter() - started
