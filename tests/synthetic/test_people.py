import numpy as np

from rlq.core.seeding import generator
from rlq.synthetic.head import CAPS, STYLES_FEMALE, STYLES_MALE
from rlq.synthetic.people import AGES, GENDERS, sample_person


def biometrics(people):
    return np.array([list(person.truth().values()) for person in people])


def test_people_are_drawn_from_the_generator_alone():
    assert sample_person(generator("p", 1)) == sample_person(generator("p", 1))
    assert sample_person(generator("p", 1)) != sample_person(generator("p", 2))


def test_a_crowd_shows_every_kind_of_person():
    crowd = [sample_person(generator("crowd", number)) for number in range(400)]
    assert {person.gender for person in crowd} == set(GENDERS)
    assert {person.age for person in crowd} == set(AGES)
    assert {person.hair.style for person in crowd} == set(STYLES_MALE) | set(STYLES_FEMALE) == set(CAPS)
    assert {person.face.glasses for person in crowd} == {"none", "thin", "thick", "dark"}
    assert not any(person.face.beard != "none" for person in crowd if person.gender == "female")
    share = np.mean([person.gender == "male" for person in crowd])
    assert 0.4 < share < 0.6


def test_biometrics_alone_tell_people_apart():
    crowd = [sample_person(generator("apart", number)) for number in range(224)]
    truth = biometrics(crowd)
    truth = (truth - truth.mean(axis=0)) / truth.std(axis=0)
    measured = truth + generator("noise").normal(0, 0.4, truth.shape)
    distance = ((measured[:, None] - truth[None]) ** 2).sum(axis=2)
    assert (distance.argmin(axis=1) == np.arange(len(crowd))).mean() > 0.98


def test_body_and_colours_vary_independently():
    truth = biometrics([sample_person(generator("spread", number)) for number in range(400)])
    names = list(sample_person(generator("spread", 0)).truth())
    correlation = np.corrcoef(truth.T)
    for one, other in (
        ("body.leg", "hair.r"),
        ("body.waist", "skin.r"),
        ("gait.stride", "hair.b"),
        ("skin.r", "hair.r"),
    ):
        assert abs(correlation[names.index(one), names.index(other)]) < 0.25
