"""Benchmarks: how fast the parts of rlq are, compared with plain forms of what is usually done.

    measurement.py   variants that take turns, peak memory, fresh processes
    results.py       tables, goals, the machine; as Markdown and as JSON
    benchmarks.py    name -> benchmark
    setups.py        the training steps that are timed

The plain forms (plain_*.py) are this project's own restatements, not another project's code.
"""
