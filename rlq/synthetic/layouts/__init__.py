"""Which pictures a synthetic data set consists of: one file per layout, names and folders as the real set has them."""

from rlq.synthetic.layouts.albums import Album, Picture, Spec
from rlq.synthetic.layouts.catalogue import LAYOUTS, Layout, albums, layout_called, layout_of
from rlq.synthetic.layouts.celeb_reid import CelebLightSpec, CelebSpec
from rlq.synthetic.layouts.prcc import PrccSpec

__all__ = [
    "LAYOUTS",
    "Album",
    "CelebLightSpec",
    "CelebSpec",
    "Layout",
    "Picture",
    "PrccSpec",
    "Spec",
    "albums",
    "layout_called",
    "layout_of",
]
