"""Cases of a parametrisation that only `make test-slow` runs, beside those of every day."""

import pytest
from _pytest.mark import ParameterSet


def slow(*values: object) -> ParameterSet:
    return pytest.param(*values, marks=pytest.mark.slow)
