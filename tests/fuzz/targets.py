"""Every parser of the project."""

import fuzz_arrays
import fuzz_journals
import fuzz_sets
import fuzz_settings
import fuzz_side_files
import fuzz_weights

FAMILIES = (fuzz_settings, fuzz_side_files, fuzz_sets, fuzz_arrays, fuzz_weights, fuzz_journals)
TARGETS = tuple(target for family in FAMILIES for target in family.TARGETS)
