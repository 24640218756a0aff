"""python -m rlq: the command line, for torchrun."""

from rlq.cli import main

main(prog_name="rlq")
