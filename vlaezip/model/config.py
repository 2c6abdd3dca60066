"""Sizes of the model. Every net, float or integer, takes all of its sizes from here."""

from dataclasses import asdict, dataclass
from typing import Any

from vlaezip.model.window_kinds import WINDOW_KINDS, WindowKind

LATENT_BITS = 5  # one step of the fine grid of z is 2**-5
LATENT_MAX = 1023  # z lies in [-1023, 1023], in steps of the fine grid


@dataclass(frozen=True, slots=True)
class Window:
    """Causal neighbourhood under the wavefront rule ("Order of symbols" in docs/format.md).

    Offsets (-dy, dx) with dx <= 2 * dy - 1, and (0, dx) with dx < 0: what pixel (i, j) sees has a smaller
    j + 2 * i, so all pixels of one j + 2 * i are decoded together.
    """

    up: int
    left: int
    right: int

    @property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        """(dy, dx) of each position, row by row from the top."""
        above = [
            (-dy, dx) for dy in range(self.up, 0, -1) for dx in range(1 - self.left, min(2 * dy - 1, self.right) + 1)
        ]
        return tuple(above + [(0, dx) for dx in range(-self.left, 0)])


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """A local autoregressive model: a window, an MLP on it, and mixtures for its channels.

    reference: what values are seen relative to, the name of a kind of windows. "median": the median edge detector, and
    contrast is normalised by local activity. "preview": the preview at each place. "zero": nothing. "binary": nothing,
    values are 0 and 1.
    groups: number of channels coded together, in the order of coding; later groups see earlier ones.
    extra: number of inputs beside the window (features, preview neighbourhood, level), see layout.with_extra.
    """

    channels: int
    window: Window
    hidden: int
    depth: int
    head: int
    mixtures: int
    groups: tuple[int, ...]
    reference: str
    extra: int

    @property
    def kind(self) -> WindowKind:
        """What follows from the reference. Raises KeyError where there is no such kind."""
        return WINDOW_KINDS[self.reference]

    @property
    def order(self) -> tuple[int, ...]:
        """Channels in the order of coding: green first for pixels."""
        return (1, 0, 2) if self.kind.relative else tuple(range(self.channels))


@dataclass(frozen=True, slots=True)
class VlaeConfig:
    """A whole VLAE: posterior, prior, preview and pixels.

    unshuffle: pixels of a side folded into channels before the first layer; z has half that resolution.
    latent: channels of z. features: maps c(z) that the pixel model sees. levels: rounding steps of z, coarse to fine.
    coarse: channels of the streams at the resolution of z; 0: as many as `width`, those of the finer streams.
    direct: straight paths between pixels and the coarse streams, past the finer ones.
    guided: the synthesis is told the level.
    lambdas: weight of the preview's squared error against bits a pixel, a level: what search/latent.py minimises.
    channels, values: of a picture; its samples are 0..values - 1.
    anchor: reach of the boxes whose means a dream leaves to the preview (dream.anchored); 0: it leaves nothing.
    """

    unshuffle: int
    width: int
    blocks: int
    latent: int
    features: int
    levels: int
    prior: LocalConfig
    pixel: LocalConfig
    coarse: int = 0
    direct: bool = False
    guided: bool = False
    lambdas: tuple[float, ...] = ()
    anchor: int = 0
    channels: int = 3
    values: int = 256

    @property
    def gain(self) -> int:
        """What takes samples to 0..255, the range that the convolutions see and previews have."""
        return 255 // (self.values - 1)

    @property
    def stride(self) -> int:
        """Pixels of a side to one position of z."""
        return 2 * self.unshuffle

    @property
    def coarse_width(self) -> int:
        """Channels at the resolution of z."""
        return self.coarse or self.width


def to_json(config: VlaeConfig) -> dict[str, Any]:
    """Inverse of from_json."""
    return asdict(config)


def from_json(fields: dict[str, Any]) -> VlaeConfig:
    """Inverse of to_json. Raises TypeError on an unknown or missing field; those after `pixel` may be."""

    def local(f: dict[str, Any]) -> LocalConfig:
        return LocalConfig(**{**f, "window": Window(**f["window"]), "groups": tuple(f["groups"])})

    parts = {"prior": local(fields["prior"]), "pixel": local(fields["pixel"]), "lambdas": fields.get("lambdas", ())}
    return VlaeConfig(**{**fields, **parts, "lambdas": tuple(parts["lambdas"])})
