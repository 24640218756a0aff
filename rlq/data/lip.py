"""The labels of LIP (Look into Person), in which all parsing masks of rlq are stored, and their groups."""

from enum import IntEnum


class Lip(IntEnum):
    """The 20 labels of LIP (Gong et al. 2017, arXiv 1703.05446) as SCHP numbers them."""

    BACKGROUND = 0
    HAT = 1
    HAIR = 2
    GLOVE = 3
    SUNGLASSES = 4
    UPPER_CLOTHES = 5
    DRESS = 6
    COAT = 7
    SOCKS = 8
    TROUSERS = 9
    JUMPSUIT = 10
    SCARF = 11
    SKIRT = 12
    FACE = 13
    LEFT_ARM = 14
    RIGHT_ARM = 15
    LEFT_LEG = 16
    RIGHT_LEG = 17
    LEFT_SHOE = 18
    RIGHT_SHOE = 19


LIP_NAMES = tuple(label.name.lower().replace("_", " ") for label in Lip)

UPPER = (Lip.UPPER_CLOTHES, Lip.COAT, Lip.JUMPSUIT)  # recoloured as the upper garment
LOWER = (Lip.TROUSERS, Lip.SKIRT)  # recoloured as the lower garment
SHOES = (Lip.LEFT_SHOE, Lip.RIGHT_SHOE)
WORN = (  # recoloured together where a garment cannot be recoloured by itself
    *(Lip.HAT, Lip.GLOVE, Lip.UPPER_CLOTHES, Lip.DRESS, Lip.COAT, Lip.SOCKS, Lip.TROUSERS, Lip.JUMPSUIT, Lip.SCARF),
    *(Lip.SKIRT, *SHOES),
)
