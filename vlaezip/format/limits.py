"""What a modelled file must hold at the least, so that a few bytes can never ask for much memory or time.

Decoding takes a step of the wavefront after the other, however short it is, and room for every symbol. A picture
that needs fewer bits than this is flat, or a thread of pixels: compress stores it, and decompress refuses it. Nets look
at whole strides, so those count of the pictures of an archive, however small they are.
"""

from vlaezip.format.container import Header, Kind
from vlaezip.format.tiles import blocks, parts

SYMBOL_BITS = 0.01
STEP_BITS = {Kind.LOSSLESS: 8, Kind.LOSSY: 1, Kind.ARCHIVE: 8}
FREE_STEPS = 1 << 12  # take about a second


def steps(height: int, width: int, side: int) -> int:
    """Steps of the wavefront over all tiles: W + 2 (H - 1) each."""
    rows, columns = len(parts(height, side)), len(parts(width, side))
    return rows * width + 2 * columns * height - 2 * rows * columns


def least_bits(header: Header, stride: int, latent: int) -> float:
    """Bits of data below which a picture is not modelled. stride and latent: of the model's z."""
    height, width = header.height, header.width
    h, w = -(-height // stride), -(-width // stride)
    pixels = steps(height, width, header.tile)
    if header.kind is Kind.LOSSLESS:
        symbols, total = height * width, pixels
    elif header.kind is Kind.LOSSY:
        symbols, total = h * w * latent, pixels + steps(h, w, max(h, w))
    else:
        symbols = header.count * h * w * stride**2
        total = len(blocks(header.count, height * width)) * steps(height, width, max(height, width))
    return max(SYMBOL_BITS * symbols, STEP_BITS[header.kind] * total if total > FREE_STEPS else 0)
