"""The command line. A command's module is imported when the command is used; torch is imported later still."""

import importlib

import click

from rlq import __version__

# command -> module of rlq.cli that defines it under the same name
COMMANDS = {
    "train": "train",
    "rerun": "rerun",
    "evaluate": "evaluate",
    "analyse": "analyse",
    "sweep": "sweep",
    "ablate": "ablate",
    "report": "report",
    "embed": "embed",
    "score": "score",
    "data": "data",
    "pose": "pose",
    "gender": "gender",
    "parsing": "parsing",
    "weights": "weights",
    "track": "track",
    "bench": "bench",
}


class LazyGroup(click.Group):
    """A group that imports the module of a command only when the command is named or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        return getattr(importlib.import_module(f"rlq.cli.{module}"), cmd_name) if module else None


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rlq")
def main() -> None:
    """Find people again on other cameras, in other clothes, in degraded pictures (RLQ, arXiv 2505.12580)."""
