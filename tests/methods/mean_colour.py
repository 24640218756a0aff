"""A method in one file: a linear classifier of mean colours, trained on the frames of tracklets."""

from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from rlq.core.config import validate
from rlq.core.settings import Count, ExperimentSettings
from rlq.data.batches import collate_target
from rlq.data.datasets import TargetPictures, loader
from rlq.data.degradation import DegradationRanges
from rlq.data.records import class_indices
from rlq.data.samplers import IdentityBatches
from rlq.data.transforms import TrainTransform
from rlq.methods.ranking import PictureModel, RankingMethod, evaluation_of
from rlq.methods.ranking_inputs import TargetInputs, check_selectable, read_target
from rlq.methods.weights_folder import read_config, write_config
from rlq.training.checkpoint import load_weights
from rlq.training.loop import Job, Pass


class MeanColourSettings(ExperimentSettings):
    method: Literal["mean_colour"] = "mean_colour"
    stripes: Count = 4  # horizontal ones, whose mean colours are the feature


class MeanColourNetwork(nn.Module):
    def __init__(self, stripes: int, people: int) -> None:
        super().__init__()
        self.stripes, self.mix, self.head = stripes, nn.Linear(3 * stripes, 16), nn.Linear(16, people)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return self.mix(F.adaptive_avg_pool2d(images, (self.stripes, 1)).flatten(1))


class MeanColour(RankingMethod):
    name, settings = "mean_colour", MeanColourSettings

    def gather(self, loaded, console):
        inputs = TargetInputs(loaded.settings, *read_target(loaded.settings, self.reading(loaded.settings)))
        check_selectable(inputs.settings, inputs.data, self.scores)
        return inputs

    def build(self, inputs, ready, *, place, console, folder):
        settings, data = inputs.settings, inputs.settings.data
        frames = [replace(record, path=path, frames=()) for record in inputs.data.train for path in record.pictures]
        labels = class_indices(frames)
        people = len(labels.pid_names)
        network = MeanColourNetwork(settings.stripes, people).to(place.device)
        optimiser = torch.optim.Adam(network.parameters(), lr=settings.optim.lr)
        batches = IdentityBatches(labels.pids, data.batch, data.instances, settings.seed)

        def step(batch):
            loss = F.cross_entropy(network.head(network.embed(batch.images)), batch.pids.to(place.device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"total": loss.detach()}

        pictures = TargetPictures(frames, labels, TrainTransform(data.size), settings.seed)
        return Job(
            passes=[Pass("colour", step, loader(pictures, batches, collate_target), batches.set_epoch)],
            modules={"network": network},
            optimisers={"model": optimiser},
            set_rates=lambda epoch: {"lr/model": settings.optim.lr},
            evaluate=evaluation_of(network, inputs, self.reading(settings), place=place, console=console),
            folder=folder,
            describe=lambda there: write_config(there, settings, people=people),
        )

    def describe(self, inputs, place):
        return f"data     {inputs.data.name}: {len(inputs.data.train)} tracklets"

    def load(self, source, device):
        config = read_config(source)
        settings = validate(MeanColourSettings, config.settings, config.origin)
        network = MeanColourNetwork(settings.stripes, config.facts["people"])
        network.load_state_dict(load_weights(config.weights))
        network.to(device).eval()
        return PictureModel(settings, network, network.embed, DegradationRanges(), branches={})
