"""Name -> benchmark, in the order in which they run."""

import time
from collections.abc import Callable
from dataclasses import replace

from rlq.bench import clusters, data, degradation, embedding, evaluation, gpu, growth, startup, step, tracking
from rlq.bench.measurement import Options
from rlq.bench.results import Results
from rlq.core.errors import RlqError

BENCHES: dict[str, Callable[[Options], Results]] = {
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

TOO_SMALL = "The goals are left out: they do not apply to sizes as small as these."


def check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of benchmarks, those of all when none is given. Raises RlqError for an unknown one."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise RlqError(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHES)}")
    return names or tuple(BENCHES)


def run_one(name: str, options: Options) -> tuple[Results, float]:
    """Return the results of a benchmark and its seconds. Quick runs are compared with no goal."""
    started = time.perf_counter()
    results = BENCHES[name](options)
    if options.quick and results.goals:
        results = replace(results, goals=(), notes=(*results.notes, TOO_SMALL))
    return results, time.perf_counter() - started
