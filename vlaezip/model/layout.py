"""The layers of a VLAE: what goes in, in which units, and what comes out. Loader and exporter both follow it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.tables import LOGITS_PER_NAT, POSITION_BITS, SCALES_PER_NAT
from vlaezip.exact.law import ACTIVATION_BITS, ACTIVATION_MAX, STREAM_MAX
from vlaezip.model.config import LATENT_BITS, LATENT_MAX, LocalConfig, VlaeConfig
from vlaezip.model.window import input_columns
from vlaezip.model.window_kinds import CONTRAST_MAX, CONTRAST_UNIT, MID_LEVEL, Columns

UNIT = 2.0**-ACTIVATION_BITS
CENTRED_UNIT = 2.0**-6  # real value of one step of a sample less MID_LEVEL, as the analysis sees it
MEANS_PER_UNIT = 64
POSTERIOR_GAIN = 4  # the analysis' mean is in units of 4
PREVIEW_LEVELS = 64  # levels to one unit of the synthesis' output

RECTIFIED, STREAM = (UNIT, ACTIVATION_MAX), (UNIT, STREAM_MAX + 1)


@dataclass(frozen=True, slots=True)
class Layer:
    """inputs: kinds of columns. outputs: (rows, real value of one step). taps: 9 for a 3x3 convolution, else 1."""

    name: str
    inputs: tuple[Columns, ...]
    outputs: tuple[tuple[int, float], ...]
    taps: int = 1

    @property
    def largest(self) -> NDArray[np.int64]:
        """Magnitudes that the proof takes for granted [I]."""
        return np.tile(np.concatenate([np.full(n, m) for n, _, m in self.inputs]), self.taps)

    @property
    def units(self) -> NDArray[np.float64]:
        """Real value of one step of each input [I]."""
        return np.tile(np.concatenate([np.full(n, u) for n, u, _ in self.inputs]), self.taps)

    @property
    def steps(self) -> NDArray[np.float64]:
        """Real value of one step of each output [O]."""
        return np.concatenate([np.full(n, u) for n, u in self.outputs])


def residual_blocks(prefix: str, count: int, width: int) -> Iterator[Layer]:
    for i in range(count):
        yield Layer(f"{prefix}.{i}.a", ((width, *STREAM),), ((width, UNIT),), 9)
        yield Layer(f"{prefix}.{i}.b", ((width, *RECTIFIED),), ((width, UNIT),))


def analysis(c: VlaeConfig) -> Iterator[Layer]:
    yield Layer("analysis.stem", ((c.channels * c.unshuffle**2, CENTRED_UNIT, MID_LEVEL),), ((c.width, UNIT),))
    yield from residual_blocks("analysis.fine", c.blocks, c.width)
    yield Layer("analysis.down", ((4 * c.width, *STREAM),), ((c.coarse_width, UNIT),))
    if c.direct:
        yield Layer(
            "analysis.direct", ((c.channels * c.stride**2, CENTRED_UNIT, MID_LEVEL),), ((c.coarse_width, UNIT),)
        )
    yield from residual_blocks("analysis.coarse", c.blocks, c.coarse_width)
    mean = 2.0 ** -(LATENT_BITS + POSITION_BITS) / POSTERIOR_GAIN
    yield Layer("analysis.out", ((c.coarse_width, *STREAM),), ((c.latent, mean), (c.latent, 1 / SCALES_PER_NAT)))


def synthesis(c: VlaeConfig) -> Iterator[Layer]:
    latent: Columns = (c.latent, 2.0**-LATENT_BITS, LATENT_MAX)
    yield Layer("synthesis.stem", (latent, (c.levels, 1.0, 1)) if c.guided else (latent,), ((c.coarse_width, UNIT),), 9)
    yield from residual_blocks("synthesis.coarse", c.blocks, c.coarse_width)
    level = 1 / (PREVIEW_LEVELS * preview_parts(c))
    if c.direct:
        yield Layer("synthesis.direct", ((c.coarse_width, *STREAM),), ((c.channels * c.stride**2, level),))
    yield Layer("synthesis.up", ((c.coarse_width, *STREAM),), ((4 * c.width, UNIT),))
    yield from residual_blocks("synthesis.fine", c.blocks, c.width)
    area = c.unshuffle**2
    yield Layer("synthesis.out", ((c.width, *STREAM),), ((c.channels * area, level), (c.features * area, UNIT)))


def preview_parts(c: VlaeConfig) -> int:
    """Steps of the synthesis' output to one level of the preview: finer where two paths are added."""
    return 16 if c.direct else 1


def extras(c: VlaeConfig) -> dict[str, tuple[Columns, ...]]:
    """The inputs of the local models beside their windows."""
    features: Columns = (c.features, *STREAM)
    return {"prior": ((c.levels, 1.0, 1),), "pixel": (features, *c.pixel.kind.extra)}


def with_extra(c: VlaeConfig) -> VlaeConfig:
    """The configuration, with the inputs of its local models beside their windows counted."""
    count = {name: sum(n for n, _, _ in columns) for name, columns in extras(c).items()}
    return replace(c, **{name: replace(getattr(c, name), extra=n) for name, n in count.items()})


def local(name: str, c: LocalConfig, extra: tuple[Columns, ...]) -> Iterator[Layer]:
    yield Layer(f"{name}.stem", (*input_columns(c), *extra), ((c.hidden, UNIT),))
    for i in range(c.depth):
        yield Layer(f"{name}.layers.{i}", ((c.hidden, *RECTIFIED),), ((c.hidden, UNIT),))
    seen = 0
    for i, size in enumerate(c.groups):
        known: tuple[Columns, ...] = ((seen, CONTRAST_UNIT, CONTRAST_MAX),) if seen else ()
        yield Layer(f"{name}.heads.{i}", ((c.hidden, *RECTIFIED), *known), ((c.head, UNIT),))
        k = c.mixtures
        answers = ((k, 1 / LOGITS_PER_NAT), (k, 1 / MEANS_PER_UNIT), (k, 1 / SCALES_PER_NAT)) * size
        yield Layer(f"{name}.outs.{i}", ((c.head, *RECTIFIED),), answers)
        seen += size


def layers(c: VlaeConfig) -> Iterator[Layer]:
    """Every layer of a set of weights, in the order of use."""
    extra = extras(c)
    yield from analysis(c)
    yield from synthesis(c)
    yield from local("prior", c.prior, extra["prior"])
    yield from local("pixel", c.pixel, extra["pixel"])
