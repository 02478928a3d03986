# SPDX-License-Identifier: Apache-2.0
"""Cars, vans and buses: solids with body, cabin, windows, wheels and lamps."""

from typing import NamedTuple

from carla_unet_ros.stand_in.town.light import Bgr
from carla_unet_ros.stand_in.town.solids import PAINT, Corner, Face, Solid, box, decal, disc, prism
from carla_unet_ros.stand_in.town.tags import VEHICLE


class Shape(NamedTuple):
    """The shape of a vehicle in metres, and where its cabin begins and ends.

    Front and rear of the cabin, below and above, are shares of the length, from the tail (0) to
    the nose (1).
    """

    length: float
    width: float
    height: float
    bonnet: float
    tail: tuple[float, float]
    nose: tuple[float, float]


SHAPES = {
    "sedan": Shape(4.6, 1.85, 1.46, 0.92, (0.10, 0.24), (0.70, 0.54)),
    "hatchback": Shape(3.9, 1.75, 1.52, 0.95, (0.02, 0.08), (0.76, 0.58)),
    "suv": Shape(4.7, 1.95, 1.78, 1.08, (0.02, 0.07), (0.74, 0.62)),
    "coupe": Shape(4.5, 1.9, 1.28, 0.86, (0.06, 0.34), (0.66, 0.50)),
    "van": Shape(5.2, 2.05, 2.25, 1.25, (0.01, 0.02), (0.92, 0.80)),
    "truck": Shape(7.5, 2.4, 3.0, 1.2, (0.01, 0.01), (0.99, 0.96)),
}
PAINTS: tuple[Bgr, ...] = (
    (40, 40, 150), (140, 80, 34), (196, 198, 198), (34, 34, 36), (120, 122, 124), (120, 110, 20),
    (36, 90, 130), (70, 110, 60), (70, 70, 74), (220, 220, 220), (30, 130, 190), (90, 40, 40),
)  # fmt: skip

_GLASS: Bgr = (52, 46, 40)
_TYRE: Bgr = (22, 22, 24)


def car(kind: str) -> Solid:
    """A vehicle of one of SHAPES. It looks ahead (+z); the origin is below its middle."""
    shape = SHAPES[kind]
    long, wide, tall, belt = shape.length, shape.width, shape.height, shape.bonnet
    back, front = -long / 2, long / 2
    outline = [
        (back + 0.05, 0.28), (back, 0.55), (back + 0.06, belt * 0.98), (back + 0.2, belt),
        (long * (shape.nose[0] - 0.5), belt), (front - 0.28, belt * 0.86), (front, belt * 0.62),
        (front - 0.02, 0.28),
    ]  # fmt: skip
    body = prism(outline, wide, wide * 0.96, PAINT, VEHICLE)
    body += _front_and_back(shape)
    return Solid([_underside(shape), body, _side_marks(shape), _cabin(shape, tall)], ordered=True)


def _cabin(shape: Shape, tall: float) -> list[Face]:
    long, belt = shape.length, shape.bonnet
    low, high = shape.width * 0.95, shape.width * 0.76 if tall < 2 else shape.width * 0.9
    tail, nose = ([long * (share - 0.5) for share in ends] for ends in (shape.tail, shape.nose))
    outline = [(tail[0], belt), (tail[1], tall), (nose[1], tall), (nose[0], belt)]
    faces = prism(outline, low, high, PAINT, VEHICLE)
    solid_back = tall > 2

    def at(share: float, ends: list[float]) -> float:
        return ends[0] + (ends[1] - ends[0]) * share

    def half(share: float) -> float:
        return (low + (high - low) * share) / 2 + 0.004

    bottom, top = 0.1, 0.86
    for side in (1, -1):
        rear_low = at(bottom, tail) + 0.18 if not solid_back else at(bottom, nose) - 1.3
        rear_high = at(top, tail) + 0.14 if not solid_back else at(bottom, nose) - 1.3
        corners: list[Corner] = [
            (side * half(s), belt + (tall - belt) * s, z)
            for s, z in ((bottom, rear_low), (top, rear_high), (top, at(top, nose) - 0.1),
                         (bottom, at(bottom, nose) - 0.22))
        ]  # fmt: skip
        faces.append(decal(corners[::side], _GLASS, VEHICLE))
        if not solid_back:
            middle = (at(0.5, tail) + at(0.5, nose)) / 2 - 0.05
            post: list[Corner] = [
                (side * (half(s) + 0.004), belt + (tall - belt) * s, z)
                for s, z in ((bottom, middle), (top, middle), (top, middle + 0.08),
                             (bottom, middle + 0.08))
            ]  # fmt: skip
            faces.append(decal(post[::side], PAINT, VEHICLE))
    for ends, sign in ((nose, 1), (tail, -1)):
        if solid_back and sign < 0:
            continue
        screen: list[Corner] = [
            (x * (half(s) - 0.09), belt + (tall - belt) * s, at(s, ends) + sign * 0.006)
            for s, x in ((bottom, sign), (top, sign), (top, -sign), (bottom, -sign))
        ]
        faces.append(decal(screen, _GLASS, VEHICLE))
    return faces


def _underside(shape: Shape) -> list[Face]:
    """The dark underside, which hides the ground below the sills."""
    return box((shape.width * 0.9, 0.3, shape.length * 0.86), (0, 0.08, 0), (16, 16, 17), VEHICLE)


def _side_marks(shape: Shape) -> list[Face]:
    """Wheel arches, tyres and rims, a line along the doors."""
    radius = 0.33 if shape.height < 2 else 0.42
    faces = []
    for side in (1, -1):
        x = side * shape.width / 2
        for z in (-shape.length * 0.31, shape.length * 0.31):
            for out, size, colour in ((0.004, 1.14, (12, 12, 13)), (0.008, 1.0, _TYRE),
                                      (0.012, 0.62, (110, 110, 112))):  # fmt: skip
                faces.append(disc((x + side * out, radius, z), radius * size, side, colour,
                                  VEHICLE))  # fmt: skip
        reach = shape.length * 0.2
        line: list[Corner] = [
            (x + side * 0.004, y, z)
            for y, z in ((0.42, -reach), (0.45, -reach), (0.45, reach), (0.42, reach))
        ]
        faces.append(decal(line[::side], (-0.5, -0.5, -0.5), VEHICLE))
    return faces


def _front_and_back(shape: Shape) -> list[Face]:
    """Lamps, grille, bumpers and number plates."""
    faces = []
    wide, belt = shape.width, shape.bonnet
    for sign in (1, -1):
        z = sign * (shape.length / 2 + 0.012)

        def plate(x: float, y: float, w: float, h: float, colour: Bgr, z: float = z,
                  sign: int = sign) -> None:  # fmt: skip
            corners = [(x - w / 2, y, z), (x - w / 2, y + h, z), (x + w / 2, y + h, z),
                       (x + w / 2, y, z)]  # fmt: skip
            faces.append(decal(corners[::-sign], colour, VEHICLE))

        plate(0, 0.29, wide * 0.94, 0.16, (34, 34, 36))
        lamp: Bgr = (225, 232, 235) if sign > 0 else (40, 34, 190)
        for side in (-1, 1):
            plate(side * wide * 0.37, belt * 0.64, wide * 0.2, belt * 0.15, lamp)
        if sign > 0:
            plate(0, belt * 0.55, wide * 0.46, belt * 0.2, (24, 24, 26))
        plate(0, 0.46, 0.5, 0.12, (200, 204, 205))
    return faces
