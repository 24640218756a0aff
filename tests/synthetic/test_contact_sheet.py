import numpy as np
import pytest
from contact_sheet import COLUMNS, contact_sheet
from naming import assert_names

from rlq.core.errors import SettingsError


def test_a_sheet_has_a_row_per_person_and_a_column_per_shot():
    sheet = contact_sheet(people=2, seed=3, width=32)
    assert sheet.shape == (2 * 64, 32 * len(COLUMNS), 3)
    assert sheet.dtype == np.uint8
    assert not np.array_equal(sheet[:64], sheet[64:])
    assert np.array_equal(sheet, contact_sheet(people=2, seed=3, width=32))


def test_a_sheet_of_nobody_is_refused():
    with pytest.raises(SettingsError, match=r"\b0\b") as raised:
        contact_sheet(people=0)
    assert_names(raised.value, 16, 128)
