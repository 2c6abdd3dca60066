"""Kinds of windows: what values are seen relative to, and all that follows from it. Model files know them by name."""

from dataclasses import dataclass

Columns = tuple[int, float, int]  # inputs of one kind: count, real value of one step, largest magnitude

CONTRAST_MAX = 1023
CONTRAST_UNIT = 2.0**-5  # real value of one step of contrast
MID_LEVEL = 128  # of samples 0..255, which are seen less this
LEVEL_UNIT = 2.0**-7  # real value of one step of such a sample
MID_SIZE = 24  # size numbers are seen less this
SIZE_UNIT = 2.0**-3  # real value of one step of a size number
ADAPTIVE = -1  # in place of a size number: that of the activity around each place

# The neighbourhood of a preview: eight differences to the centre, amplified, and the centre.
NEIGHBOURS = tuple((y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1))  # corners in a 3x3 box
NEIGHBOUR_GAIN = 8
COLOURS = 3
NEIGHBOURHOOD: tuple[Columns, ...] = (
    (COLOURS * len(NEIGHBOURS), CONTRAST_UNIT, CONTRAST_MAX),
    (COLOURS, LEVEL_UNIT, MID_LEVEL),
)


@dataclass(frozen=True, slots=True)
class WindowKind:
    """fill: what stands above the first row. size: number of the size that contrasts are divided by, or ADAPTIVE: then
    windows are also seen relative to their median edge detector. largest: magnitude of a contrast. relative: whether
    green is coded first, and later channels' means are relative to its surprise. extra: inputs that a model gets beside
    its window and the features. residual: values are those of a picture less its preview.
    """

    fill: int
    size: int
    largest: int = CONTRAST_MAX
    relative: bool = False
    residual: bool = False
    extra: tuple[Columns, ...] = ()


WINDOW_KINDS = {
    "median": WindowKind(fill=MID_LEVEL, size=ADAPTIVE, relative=True),
    "preview": WindowKind(fill=0, size=24, relative=True, residual=True, extra=NEIGHBOURHOOD),
    "zero": WindowKind(fill=0, size=36),
    "binary": WindowKind(fill=0, size=16, largest=32),  # of values 0 and 1
}
