import numpy as np
import pytest

from rlq.core.seeding import generator
from rlq.synthetic.people import sample_person
from rlq.synthetic.skeleton import Joint, View, bending, joints, standing, walking


def test_bones_keep_their_lengths_in_every_pose():
    person = sample_person(generator("bones"))
    rng = generator("poses")
    poses = [walking(person.gait, phase, rng) for phase in (0.0, 0.2, 0.6)]
    poses += [standing(person.gait, rng), bending(person.gait, rng)]
    for pose in poses:
        at = joints(person.body, person.gait, pose)
        for hip, shoulder in ((Joint.L_HIP, Joint.L_SHOULDER), (Joint.R_HIP, Joint.R_SHOULDER)):
            leg = np.linalg.norm(np.diff(at[hip : hip + 3], axis=0), axis=1).sum()
            arm = np.linalg.norm(np.diff(at[shoulder : shoulder + 3], axis=0), axis=1).sum()
            assert leg == pytest.approx(person.body.leg)
            assert arm == pytest.approx(person.body.arm)
        assert min(at[Joint.L_ANKLE, 1], at[Joint.R_ANKLE, 1]) == pytest.approx(0)


def test_legs_swing_against_each_other_and_against_their_arms():
    gait = sample_person(generator("gait")).gait
    pose = walking(gait, 0.25, generator("phase"))
    assert pose.thigh[0] == pytest.approx(gait.stride)
    assert pose.thigh[1] == pytest.approx(-gait.stride)
    assert pose.arm[0] < 0 < pose.arm[1]


def test_a_person_who_faces_the_camera_has_the_left_hand_on_the_right_of_the_picture():
    person = sample_person(generator("view"))
    at = joints(person.body, person.gait, standing(person.gait, generator("still")))
    front = at @ View(0, 0, 0).rotation().T
    back = at @ View(180, 0, 0).rotation().T
    assert front[Joint.L_SHOULDER, 0] > front[Joint.R_SHOULDER, 0]
    assert back[Joint.L_SHOULDER, 0] < back[Joint.R_SHOULDER, 0]
    assert front[Joint.L_TOE, 2] > front[Joint.L_ANKLE, 2]  # toes point at the camera
    assert back[Joint.L_TOE, 2] < back[Joint.L_ANKLE, 2]


def test_views_are_rotations_and_a_high_camera_sees_the_near_side_lower():
    for view in (View(30, 10, 0), View(-140, 25, 0.3)):
        turn = view.rotation(turn=15, nod=8)
        assert np.allclose(turn @ turn.T, np.eye(3))
        assert np.linalg.det(turn) == pytest.approx(1)
    near, far = np.array([0, 0, 0.5]), np.array([0, 0, -0.5])
    high = View(0, 20, 0).rotation()
    assert (high @ near)[1] < (high @ far)[1]
