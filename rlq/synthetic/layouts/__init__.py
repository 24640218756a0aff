"""The pictures of a synthetic data set: one file per layout, with names and folders as in the real data set."""

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
