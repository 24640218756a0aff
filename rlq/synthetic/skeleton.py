"""The articulated skeleton: proportions and gait of a person, poses, joints in 3-D, and how a camera sees them.

Body frame: x to the person's left, y up, z forward; lengths are shares of the nominal stature.
Camera frame: x right, y up, depth towards the camera.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import cos, radians, sin

import numpy as np


class Joint(IntEnum):
    """Rows of a joint array; left and right are the person's."""

    PELVIS = 0
    CHEST = 1
    NECK = 2
    HEAD = 3
    L_SHOULDER = 4
    L_ELBOW = 5
    L_WRIST = 6
    R_SHOULDER = 7
    R_ELBOW = 8
    R_WRIST = 9
    L_HIP = 10
    L_KNEE = 11
    L_ANKLE = 12
    L_TOE = 13
    R_HIP = 14
    R_KNEE = 15
    R_ANKLE = 16
    R_TOE = 17


@dataclass(frozen=True, slots=True)
class Proportions:
    """Build of a body: lengths and half widths as shares of the nominal stature."""

    leg: float  # hip to ankle
    torso: float  # hip to shoulder line
    neck: float
    head: float  # half height of the head
    head_width: float  # width over height of the head
    shoulder: float  # half width at the shoulder joints
    waist: float  # half width
    hip: float  # half width
    belly: float  # depth over width of the trunk
    arm: float  # shoulder to wrist
    limb: float  # thickness of arms and legs, 1 is average


@dataclass(frozen=True, slots=True)
class Gait:
    """A person's way of walking and standing; angles in degrees."""

    stride: float  # swing of the thighs
    swing: float  # swing of the arms
    elbow: float  # bend kept in the elbows
    lean: float  # forward lean of the trunk
    hunch: float  # forward reach of the head, as a share of its half height
    stance: float  # outward splay of the legs
    carry: float  # how far the arms are held away from the trunk


@dataclass(frozen=True, slots=True)
class Pose:
    """Joint angles in degrees, pairs are (left, right); forward and outward are positive."""

    thigh: tuple[float, float]
    knee: tuple[float, float]
    arm: tuple[float, float]
    elbow: tuple[float, float]
    spread: tuple[float, float]
    splay: tuple[float, float]
    lean: float
    nod: float
    turn: float  # head against the trunk, to the left


def walking(gait: Gait, phase: float, rng: np.random.Generator) -> Pose:
    """Return the pose at a phase of the gait cycle, in turns."""
    wave = sin(2 * np.pi * phase)
    lift = cos(2 * np.pi * phase)  # positive while the left leg swings forward
    return Pose(
        thigh=(gait.stride * wave, -gait.stride * wave),
        knee=(6 + 1.6 * gait.stride * max(0.0, lift), 6 + 1.6 * gait.stride * max(0.0, -lift)),
        arm=(-gait.swing * wave, gait.swing * wave),
        elbow=(gait.elbow + 0.5 * gait.swing * max(0.0, -wave), gait.elbow + 0.5 * gait.swing * max(0.0, wave)),
        spread=(gait.carry, gait.carry),
        splay=(gait.stance, gait.stance),
        lean=gait.lean,
        nod=gait.lean * 0.4 + rng.normal(0, 4),
        turn=rng.normal(0, 12),
    )


def standing(gait: Gait, rng: np.random.Generator) -> Pose:
    """Return a standing pose with the arms down, a phone at the ear, or something carried in front."""
    arm, elbow = [rng.normal(0, 6), rng.normal(0, 6)], [gait.elbow, gait.elbow]
    habit = rng.random()
    side = int(rng.integers(2))
    if habit < 0.3:  # a hand at the ear
        arm[side], elbow[side] = 35.0, 135.0
    elif habit < 0.5:  # both forearms forward
        arm, elbow = [12.0, 12.0], [80.0, 80.0]
    bent = rng.uniform(0, 14)
    return Pose(
        thigh=(bent * 0.5, rng.uniform(-4, 4)),
        knee=(bent, 3.0),
        arm=(arm[0], arm[1]),
        elbow=(elbow[0], elbow[1]),
        spread=(gait.carry + 2, gait.carry + 2),
        splay=(gait.stance + 3, gait.stance + 3),
        lean=gait.lean * 0.6,
        nod=gait.lean * 0.3 + rng.normal(0, 7),
        turn=rng.normal(0, 22),
    )


def bending(gait: Gait, rng: np.random.Generator) -> Pose:
    """Return a pose bent over, with the arms reaching down."""
    bow = rng.uniform(22, 48)
    return Pose(
        thigh=(bow * 0.35, bow * 0.25),
        knee=(bow * 0.7, bow * 0.5),
        arm=(bow + rng.uniform(0, 25), bow + rng.uniform(-15, 10)),
        elbow=(gait.elbow, gait.elbow + 15),
        spread=(gait.carry, gait.carry),
        splay=(gait.stance + 2, gait.stance + 2),
        lean=gait.lean + bow,
        nod=bow * 0.4,
        turn=rng.normal(0, 12),
    )


def _down(angle: float, outward: float, side: float) -> np.ndarray:
    """Return the direction of a hanging limb that swings forward by `angle` and outward by `outward` degrees."""
    a, o = radians(angle), radians(outward)
    return np.array([side * sin(o), -cos(a) * cos(o), sin(a) * cos(o)])


def joints(body: Proportions, gait: Gait, pose: Pose) -> np.ndarray:
    """Return joint positions [18, 3] in the body frame, with the lower foot on the ground."""
    at = np.zeros((len(Joint), 3))
    lean = radians(pose.lean)
    spine = np.array([0.0, cos(lean), sin(lean)])
    at[Joint.CHEST] = body.torso * spine
    at[Joint.NECK] = at[Joint.CHEST] + body.neck * spine
    nod = radians(pose.lean * 0.5 + pose.nod)
    at[Joint.HEAD] = at[Joint.NECK] + body.head * np.array([0.0, 0.95 * cos(nod), sin(nod) + gait.hunch])
    for index, side in enumerate((1.0, -1.0)):
        shoulder, hip = (Joint.L_SHOULDER, Joint.L_HIP) if index == 0 else (Joint.R_SHOULDER, Joint.R_HIP)
        at[shoulder] = at[Joint.CHEST] + [side * body.shoulder, 0.0, 0.0] - 0.012 * spine
        swing, elbow = pose.arm[index], pose.elbow[index]
        at[shoulder + 1] = at[shoulder] + 0.52 * body.arm * _down(swing, pose.spread[index], side)
        at[shoulder + 2] = at[shoulder + 1] + 0.48 * body.arm * _down(swing + elbow, pose.spread[index] * 0.5, side)
        at[hip] = [side * body.hip * 0.52, 0.0, 0.0]
        thigh, knee = pose.thigh[index], pose.knee[index]
        at[hip + 1] = at[hip] + 0.51 * body.leg * _down(thigh, pose.splay[index], side)
        at[hip + 2] = at[hip + 1] + 0.49 * body.leg * _down(thigh - knee, pose.splay[index] * 0.6, side)
        pitch = radians(max(-35.0, thigh - knee))
        at[hip + 3] = at[hip + 2] + 0.085 * np.array([side * 0.25, -0.35 + sin(pitch), cos(pitch)])
    at[:, 1] -= min(at[Joint.L_ANKLE, 1], at[Joint.R_ANKLE, 1])
    return at


@dataclass(frozen=True, slots=True)
class View:
    """The direction of the camera: angles in degrees, 0 is in front of the person's face."""

    yaw: float  # turn of the person to the camera's right
    elevation: float  # height of the camera above the horizontal
    nearness: float  # strength of the perspective, 0 is far away

    def rotation(self, turn: float = 0.0, nod: float = 0.0) -> np.ndarray:
        """Return the matrix [3, 3] from the body frame, turned and bent forward by angles, to the camera frame."""
        yaw, up, bow = radians(self.yaw + turn), radians(self.elevation), radians(nod)
        heading = np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
        pitch = np.array([[1, 0, 0], [0, cos(up), -sin(up)], [0, sin(up), cos(up)]])
        forward = np.array([[1, 0, 0], [0, cos(bow), -sin(bow)], [0, sin(bow), cos(bow)]])
        return pitch @ heading @ forward
