"""RLQ (arXiv 2505.12580) as a Method."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from rlq.core.config import with_values
from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.settings import shaping
from rlq.data.catalogue import Reading
from rlq.data.degradation import DegradationRanges
from rlq.data.records import ReidData
from rlq.methods.base import DataUse, Imported, Loaded, Prerequisite, Ready
from rlq.methods.benchmark import BenchSetup, BenchStep
from rlq.methods.ranking import DrawnFigure, PictureModel, RankingMethod
from rlq.methods.ranking_inputs import check_selectable
from rlq.methods.rlq import author_import, bench, export, fast, job
from rlq.methods.rlq.attribute_metrics import attribute_metrics, gigaflops
from rlq.methods.rlq.inputs import Inputs, gather_inputs
from rlq.methods.rlq.model import load_model
from rlq.methods.rlq.network import count_parameters
from rlq.methods.rlq.portable import PicturesToFeatures
from rlq.methods.rlq.settings import RlqSettings, reading_of
from rlq.methods.rlq.weights import load_network
from rlq.training.loop import Job, Metrics

TEACHER = "tad.teacher"


class Rlq(RankingMethod):
    """A base model of two branches, coarse attribute prediction (CAP) and task-agnostic distillation (TAD)."""

    name = "rlq"
    settings = RlqSettings

    def reading(self, settings: RlqSettings) -> Reading:
        """Return how the data set is read and ranked."""
        return reading_of(settings)

    def sets(self, settings: RlqSettings) -> list[DataUse]:
        """Return the target set, then the external set if there is one."""
        sets = super().sets(settings)
        if settings.external_set is not None:
            root = Path(settings.tad.external_root or settings.data.root)
            sets.append(DataUse(settings.external_set, root, "external"))
        return sets

    def prerequisites(self, settings: RlqSettings) -> list[Prerequisite]:
        """Return the teacher. It inherits the student's external set, picture size, backbone, compute and tracking."""
        if not settings.needs_teacher:
            return []
        student = settings.model_dump(mode="json")
        shared = ("size", "workers", "test_batch", "celeb_camera", "cache", "cache_gb", "patience")
        root = Path(settings.tad.external_root or settings.data.root).as_posix()
        inherited: dict[str, Any] = {
            "data": {key: student["data"][key] for key in shared} | {"dataset": settings.tad.external, "root": root},
            "backbone": {key: student["backbone"][key] for key in ("name", "pretrained", "last_stride")},
            "compute": student["compute"],
            "tracking": student["tracking"] | {"name": None},
        }
        if settings.schedule.max_steps is not None:  # for a quick trial of the program, the teacher is short too
            short = ("epochs", "evaluate_every", "clothes_from", "max_steps")
            inherited["schedule"] = {key: student["schedule"][key] for key in short}
            inherited["optim"] = {key: student["optim"][key] for key in ("milestones", "warmup")}
        return [Prerequisite(TEACHER, settings.tad.teacher, inherited)]

    def shaping(self, settings: RlqSettings, needed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tree of everything that shapes a result; settings of parts that are off are left out."""
        tree = with_values(shaping(settings), needed)
        del tree["variant"]
        if not settings.needs_teacher:
            del tree["tad"]["teacher"]
        if not settings.tad.enabled and not settings.cap.low_quality:
            tree["tad"] = None
        return tree

    def gather(self, loaded: Loaded, console: Console) -> Inputs:
        """Read data and labels. Raises DataError that lists all missing inputs, with a command that works without."""
        inputs = gather_inputs(loaded.settings, loaded.origin, console)
        check_selectable(inputs.settings, inputs.data, self.scores)
        return inputs

    def build(self, inputs: Inputs, ready: Mapping[str, Ready], *, place: Place, console: Console, folder: Path) -> Job:
        """Put together network, optimisers, loaders and evaluation."""
        teacher = load_network(ready[TEACHER].folder, place.device)[0] if TEACHER in ready else None
        return job.build(inputs.settings, inputs, teacher, place=place, console=console, folder=folder)

    def describe(self, inputs: Inputs, place: Place) -> str:
        """Return two lines about what is trained on which data."""
        return job.describe(inputs.settings, inputs, place)

    def trained(self, inputs: Inputs, job: Job, device: torch.device) -> PictureModel:
        """Return the network of a finished run's best epoch, which reads pictures as training did."""
        return replace(self.load(job.folder / "best", device), reader=inputs.reader)

    def measure(self, model: PictureModel, inputs: Inputs, *, place: Place, console: Console) -> Metrics:
        """Count parameters and operations, and measure the attribute heads on people that were not trained on."""
        counts = count_parameters(model.network)
        metrics: Metrics = {
            "model/parameters": float(counts.whole),
            "model/parameters_as_paper": float(counts.paper),
            "model/parameters_inference": float(counts.inference),
            "model/gigaflops": gigaflops(model.network, model.settings.data.size),
        }
        return metrics | attribute_metrics(model.network, inputs, model.settings, place, console)

    def figures(
        self,
        model: PictureModel,
        inputs: Inputs,
        tested: ReidData,
        features: tuple[np.ndarray, np.ndarray],
        *,
        place: Place,
        console: Console,
    ) -> Iterator[DrawnFigure]:
        """Draw rank lists, degradations, a map of pictures and degraded ones, and pose clusters."""
        from rlq.methods.rlq.figures import figures  # loads matplotlib and scikit-learn, which training does not need

        return figures(model, inputs, tested, features, place=place, console=console)

    def load(self, source: Path, device: torch.device) -> PictureModel:
        """Load a weights folder, or an exported file. Raises DataError if it holds something else."""
        return load_model(source, device)

    def degradations(self, settings: RlqSettings) -> DegradationRanges:
        """Return the ranges of the section tad."""
        return settings.tad.ranges()

    def label_file(self, settings: RlqSettings, label: str) -> str | None:
        """Return the file of poses or genders that the settings name."""
        return {"pose": settings.cap.pose.file, "gender": settings.cap.gender.file}.get(label)

    def smoke(self) -> dict[str, Any]:
        """Return settings that shorten a run to a few steps, some of them with clothes losses."""
        return super().smoke() | {"schedule.clothes_from": 1}

    def bench_steps(self, setup: BenchSetup) -> Mapping[str, Callable[[], BenchStep]]:
        """Return functions that build the CAP and TAD steps of the whole network, of the base model and of CAL."""
        return bench.bench_steps(setup)

    def fast(self, model: PictureModel, device: torch.device) -> PictureModel:
        """Return a model with folded batch norms that computes in bfloat16 if the hardware does."""
        return fast.fast_model(model, device)

    def export(self, source: Path, output: Path, console: Console) -> None:
        """Write the inference network as .safetensors or .onnx."""
        export.export(source, output, console)

    def portable(self, model: PictureModel) -> nn.Module:
        """Return the network as a function from uint8 RGB [B, H, W, 3] to unit features [B, D], which needs no rlq."""
        return PicturesToFeatures(model.network)

    def import_checkpoint(self, file: Path, *, dataset: str | None, root: str) -> Imported:
        """Read a weights file of the authors."""
        return author_import.import_checkpoint(file, dataset=dataset, root=root)
