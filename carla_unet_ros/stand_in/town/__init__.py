"""The made-up town of the procedural drive: what stands in it, how it is lit and painted.

Lengths are metres. A place is given along the street (`s`, from the drive's start) and across it
(`d`, positive to the right of the centre line). Camera coordinates: x right, y up from the ground,
z forward.
"""
