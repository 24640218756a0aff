"""--help of every command: it works, says something, and answers before any heavy library is loaded."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from naming import assert_names

from rlq import __version__
from rlq.cli import COMMANDS, main

HEAVY = [
    *("torch", "torchvision", "timm", "numpy", "cv2", "PIL", "albumentations", "sklearn", "matplotlib"),
    *("mlflow", "optuna", "pydantic", "yaml", "ruamel"),
]


def every_command() -> list[tuple[str, ...]]:
    """The words of every command and subcommand, and of none."""
    found: list[tuple[str, ...]] = [()]
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, below) for below in command.list_commands(context)]
    return found


def test_the_commands_are_those_of_the_readme_in_order():
    assert [words[0] for words in every_command()[1:] if len(words) == 1] == list(COMMANDS)
    assert {("data", "list"), ("data", "check"), ("data", "make-synthetic"), ("track", "sync")} <= set(every_command())


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_names_the_command_and_explains_every_option(words):
    shown = CliRunner().invoke(main, [*words, "--help"], prog_name="rlq")
    assert shown.exit_code == 0
    assert shown.output.startswith(" ".join(["Usage: rlq", *words]))
    command = main
    for word in words:
        command = command.get_command(click.Context(command), word)
    assert command.help and command.help.splitlines()[0] in " ".join(shown.output.split())
    for option in (p for p in command.params if isinstance(p, click.Option) and not p.hidden):
        assert option.opts[-1] in shown.output


@pytest.mark.parametrize("words", every_command()[1:], ids=" ".join)
def test_the_line_of_a_command_in_a_list_is_short_and_whole(words):
    command = main
    for word in words:
        command = command.get_command(click.Context(command), word)
    line = command.get_short_help_str(limit=60)
    assert 10 < len(line) <= 60 and line.endswith(".") and not line.endswith("...")


def test_no_help_loads_a_heavy_library():
    code = (
        "import sys\n"
        "from rlq.cli import main\n"
        f"for words in {every_command()!r}:\n"
        "    main([*words, '--help'], standalone_mode=False)\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_the_version_is_shown():
    assert CliRunner().invoke(main, ["--version"]).output == f"rlq, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fly"], ("'fly'",)),
        (["train"], ("FILE", "--resume")),
        (["train", "nowhere.yaml"], ("'nowhere.yaml'",)),
        (["train", __file__, "--resume", "x"], ("FILE", "--resume")),
        (["train", "--resume", "x", "--set", "seed=2"], ("--set", "--base", "--deterministic")),
        (["train", "--fast"], ("--fast",)),
        (["evaluate"], ("'RUN_OR_CHECKPOINT'",)),
        (["evaluate", "x", "--artefact", "rain"], ("--artefact", "'rain'", "'motion'")),
        (["evaluate", "x", "--weights", "middle"], ("--weights", "'middle'", "'best'", "'last'")),
        (["embed", "x", "."], ("'--output'",)),
        (["data", "check"], ("'DATASET'",)),
        (["data", "make-synthetic", "--people", "2"], ("--people", 2)),
        (["track", "sync", "nowhere"], ("'nowhere'",)),
    ],
)
def test_wrong_usage_is_status_2_and_says_what_is_wrong(words, told):
    shown = CliRunner().invoke(main, words, prog_name="rlq")
    assert shown.exit_code == 2
    assert shown.output.startswith("Usage: rlq")
    assert_names(shown.output.partition("\nError: ")[2], *told)
