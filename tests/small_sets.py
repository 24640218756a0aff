"""A small set of every layout: what the tests of layouts and of readers share."""

from pathlib import Path

from rlq.synthetic.build import write_set
from rlq.synthetic.layouts.albums import Spec
from rlq.synthetic.layouts.catalogue import LAYOUTS
from rlq.synthetic.layouts.ccvid import CcvidSpec
from rlq.synthetic.layouts.celeb_reid import CelebLightSpec, CelebSpec
from rlq.synthetic.layouts.deepchange import DeepChangeSpec
from rlq.synthetic.layouts.last import LastSpec
from rlq.synthetic.layouts.ltcc import LtccSpec
from rlq.synthetic.layouts.ntu import NtuSpec
from rlq.synthetic.layouts.own import OwnSpec
from rlq.synthetic.layouts.prcc import PrccSpec
from rlq.synthetic.layouts.vc_clothes import VcClothesSpec

SIZE = (64, 32)
SMALL: dict[str, Spec] = {
    "prcc": PrccSpec(2, 1, train_pictures=2, val_pictures=1, test_pictures=1, picture_size=SIZE),
    "ltcc": LtccSpec(2, 2, cameras=2, pictures=2, picture_size=SIZE),
    "deepchange": DeepChangeSpec(2, 1, val_people=1, cameras=1, picture_size=SIZE),
    "last": LastSpec(2, 1, val_people=1, outfits=2, train_pictures=2, gallery_pictures=2, picture_size=SIZE),
    "celeb_reid": CelebSpec(2, 2, train_pictures=2, query_pictures=1, gallery_pictures=2, picture_size=SIZE),
    "celeb_reid_light": CelebLightSpec(1, 1, train_pictures=2, query_pictures=1, gallery_pictures=1, picture_size=SIZE),
    "vc_clothes": VcClothesSpec(1, 1, train_pictures=1, gallery_pictures=1, picture_size=SIZE),
    "ntu120": NtuSpec(2, 1, setups=1, actions=1),
    "ccvid": CcvidSpec(2, 2, walks=2, picture_size=SIZE),
    "csv": OwnSpec(1, 1, pictures=2, seed=3, picture_size=SIZE),
}


def write_small_sets(parent: Path) -> dict[str, Path]:
    """Write a small set of every layout in its usual folder below `parent`; return layout -> folder."""
    return {name: write_set(parent / LAYOUTS[name].folder, spec) for name, spec in SMALL.items()}
