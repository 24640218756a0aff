"""The layouts by the names of their data sets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlq.core.errors import SettingsError
from rlq.synthetic.layouts.albums import Album, Facts, Spec
from rlq.synthetic.layouts.ccvid import CcvidSpec, ccvid_albums, write_ccvid_lists
from rlq.synthetic.layouts.celeb_reid import CelebLightSpec, CelebSpec, celeb_albums
from rlq.synthetic.layouts.deepchange import DeepChangeSpec, deepchange_albums, write_deepchange_lists
from rlq.synthetic.layouts.last import LastSpec, last_albums
from rlq.synthetic.layouts.ltcc import LtccSpec, ltcc_albums, write_ltcc_lists
from rlq.synthetic.layouts.ntu import NtuSpec, ntu_albums
from rlq.synthetic.layouts.own import OwnSpec, own_albums, write_own_table
from rlq.synthetic.layouts.prcc import PrccSpec, prcc_albums
from rlq.synthetic.layouts.vc_clothes import VcClothesSpec, vc_clothes_albums


def _no_lists(root: Path, spec: Spec, facts: list[Facts]) -> None:
    """Write nothing, because names and folders hold all information."""


@dataclass(frozen=True)
class Layout:
    """The layout of one data set."""

    folder: str  # its usual name below data.root
    spec: type[Spec]
    albums: Callable[[Any], list[Album]]  # takes a spec of that type
    write_lists: Callable[[Path, Any, list[Facts]], None] = _no_lists
    pictures: bool = True  # single pictures, with keypoints and the authors' lists; false for video

    @property
    def oddities(self) -> Mapping[str, str]:
        """Return the names of the oddities that it can have, and their effects."""
        return self.spec.ODDITIES


LAYOUTS: dict[str, Layout] = {
    layout.spec.LAYOUT: layout
    for layout in (
        Layout("prcc", PrccSpec, prcc_albums),
        Layout("LTCC_ReID", LtccSpec, ltcc_albums, write_ltcc_lists),
        Layout("DeepChangeDataset", DeepChangeSpec, deepchange_albums, write_deepchange_lists),
        Layout("last", LastSpec, last_albums),
        Layout("Celeb-reID", CelebSpec, celeb_albums),
        Layout("Celeb-reID-light", CelebLightSpec, celeb_albums),
        Layout("VC-Clothes", VcClothesSpec, vc_clothes_albums),
        Layout("NTU120-videos", NtuSpec, ntu_albums, pictures=False),
        Layout("CCVID", CcvidSpec, ccvid_albums, write_ccvid_lists, pictures=False),
        Layout("own", OwnSpec, own_albums, write_own_table),
    )
}


def layout_called(name: str) -> Layout:
    """Return the layout of a data set. Raises SettingsError with the known names for an unknown one."""
    if name not in LAYOUTS:
        raise SettingsError(f"unknown layout {name!r}; known: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def layout_of(spec: Spec) -> Layout:
    """Return the layout that a spec belongs to."""
    return next(layout for layout in LAYOUTS.values() if layout.spec is type(spec))


def albums(spec: Spec) -> list[Album]:
    """Return the albums of all people of a data set, in order."""
    return layout_of(spec).albums(spec)
