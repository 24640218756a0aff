"""A contact sheet: the same people down the page, cameras and clothes across it."""

import cv2
import numpy as np

from rlq.core.errors import SettingsError
from rlq.core.seeding import generator
from rlq.synthetic.canvas import HEIGHT, WIDTH
from rlq.synthetic.people import sample_person
from rlq.synthetic.render import shoot
from rlq.synthetic.scene import PHOTOGRAPHER, SURVEILLANCE
from rlq.synthetic.wardrobe import sample_outfit

# Camera and number of the outfit, column by column: A and B see the first, C another, photographs a new one each.
COLUMNS = (("A", 0), ("A", 0), ("B", 0), ("C", 1), ("C", 1), ("photo", 2), ("photo", 3), ("photo", 4))


def contact_sheet(people: int = 6, seed: int = 1, width: int = WIDTH) -> np.ndarray:
    """One row per person, one column per entry of COLUMNS: RGB [people * 2 * width, 8 * width, 3]."""
    if people < 1 or not 16 <= width <= WIDTH:
        raise SettingsError(f"a sheet needs a person and cells of 16 to {WIDTH} pixels; found {people} and {width}")
    rows = []
    for number in range(people):
        person = sample_person(generator(seed, "sheet", number))
        cells = []
        for column, (name, worn) in enumerate(COLUMNS):
            outfit = sample_outfit(generator(seed, "sheet", number, "outfit", worn), person.gender)
            camera = SURVEILLANCE.get(name, PHOTOGRAPHER)
            picture = shoot(person, outfit, camera, generator(seed, "sheet", number, "shot", column)).picture
            cells.append(cv2.resize(picture, (width, width * HEIGHT // WIDTH), interpolation=cv2.INTER_AREA))
        rows.append(np.hstack(cells))
    return np.vstack(rows)
