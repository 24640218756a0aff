from rlq.core.seeding import generator
from rlq.data.lip import LOWER, UPPER, Lip
from rlq.synthetic.wardrobe import PATTERNS, sample_outfit


def test_a_wardrobe_holds_every_garment_pattern_and_thing_to_carry():
    outfits = [sample_outfit(generator("wardrobe", number), ("female", "male")[number % 2]) for number in range(600)]
    garments = [garment for outfit in outfits for garment in (outfit.upper, outfit.lower) if garment is not None]
    assert {garment.label for garment in garments} == {*UPPER, *LOWER, Lip.DRESS}
    assert {garment.pattern for garment in garments} == set(PATTERNS)
    assert {outfit.bag for outfit in outfits} == {"none", "backpack", "shoulder", "handbag"}
    assert {outfit.hat for outfit in outfits} == {None, "cap", "beanie", "brimmed"}
    assert sum(outfit.hat is not None for outfit in outfits) < 0.1 * len(outfits)  # hats rarely hide hair
    assert all((outfit.lower is None) == (outfit.upper.kind in ("dress", "jumpsuit")) for outfit in outfits)


def test_outfits_depend_on_the_generator_alone():
    assert sample_outfit(generator("o", 3), "female") == sample_outfit(generator("o", 3), "female")
    assert sample_outfit(generator("o", 3), "female") != sample_outfit(generator("o", 4), "female")
