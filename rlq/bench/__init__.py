"""Benchmarks: how fast the parts of rlq are, beside plain restatements of what is usually done.

    measuring.py   variants that take turns, peak memory, fresh processes
    findings.py    tables, goals, the machine; as Markdown and as JSON
    catalogue.py   name -> benchmark

The plain forms (plain_*.py) are this project's own words for a method, not another project's code.
"""
