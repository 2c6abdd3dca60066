"""Writes tour.md: one 64x64 picture through every step, with the bytes that really come out.

    python docs/tour.py

A test compares the page with what this script says, so the page is never older than the code.
"""

from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from vlaezip import api
from vlaezip.codec import block, learned
from vlaezip.coding import ans
from vlaezip.format import container
from vlaezip.format.settings import Settings
from vlaezip.model import learner, learning, local_ar, weights
from vlaezip.model.learner import Learner
from vlaezip.model.vlae import Vlae
from vlaezip.options import DEFAULT_QUALITY
from vlaezip.search.effort import DEFAULT_EFFORT, settings_tried

PAGE = Path(__file__).with_name("tour.md")
SIDE = 64


def picture() -> np.ndarray:
    """A ball on a slope, with grain, in integers: uint8 [64, 64, 3]."""
    i, j, c = np.ogrid[:SIDE, :SIDE, :3]
    distance = (i - 28) ** 2 + (j - 34) ** 2
    ball = np.where(distance < 400, 200 - distance // 4 - 20 * c, 90 + i - j // 2 + 15 * c)
    mixed = (i * 73856093) ^ (j * 19349663) ^ (c * 83492791)
    mixed = ((mixed ^ mixed >> 13) * 1274126177) & 0xFFFFFFFF
    grain = ((mixed ^ mixed >> 16) & 7) + ((mixed >> 8) & 7) - 7
    return np.clip(ball + grain // 2, 0, 255).astype(np.uint8)


def hexadecimal(data: bytes, most: int = 24) -> str:
    tail = f" ... ({len(data)} bytes)" if len(data) > most else ""
    return " ".join(f"{b:02x}" for b in data[:most]) + tail


def numbers(values: np.ndarray) -> str:
    return " ".join(str(v) for v in values.reshape(-1))


def lossless(pixels: np.ndarray) -> str:
    """The page's first half."""
    info = weights.find(weights.DEFAULT)
    model = weights.load(info.path, "lossless")
    x = pixels[None].astype(np.int32)
    q = block.posterior(model, x)
    z = block.first_latent(model, x)
    _, features = model.preview(z)
    scene = model.pixel_scene(z, (1, SIDE, SIDE))
    canvas = local_ar.Canvas(model.config.pixel, scene, x)
    static_cost = local_ar.encode_intervals(model.pixel, scene, x)
    settings = settings_tried(DEFAULT_EFFORT, SIDE * SIDE)[0]
    _, learns = learning.parts_of(canvas.bounds, settings.places)
    pixel_cost = learning.encode_intervals(model.pixel, learned.begin(model, False), scene, x, settings)
    latent_cost = local_ar.encode_intervals(model.prior, model.prior_scene(z.shape[:3], block.FIRST_LEVEL), z)
    after_pixels = ans.push(ans.empty(1), *pixel_cost)
    message = ans.push(after_pixels, *latent_cost)
    data = api.compress(Image.fromarray(pixels), lossless=True)
    file = container.read(data)
    header, start = container.read_header(data)
    return f"""## Lossless

**The picture** has {SIDE} x {SIDE} pixels of three channels, {pixels.size} values. Its first row begins (R, G, B):
`{numbers(pixels[0, :4])}`. It is smaller than a tile, so it is one block.

**Posterior** (`vlae.py`). The analysis net folds 8 x 8 pixels into channels, then 2 x 2 of those: z has {z.shape[1]} x {z.shape[2]}
positions of {z.shape[3]} channels. At the first position q(z|x) has the means `{numbers(q.mean[0, 0, 0])}`, in 1/16 of the fine grid,
and the scale indices `{numbers(q.scale[0, 0, 0])}` (index s is a scale of exp((s - 64) / 16) steps).

**Rounding** (`block.py`). A model that learns takes no refund for z, so that is the mean rounded to the steps
`{numbers(model.rounding[0])}` of level 0: `{numbers(z[0, 0, 0])}`.

**Features.** The synthesis net turns z into {features.shape[3]} maps of the picture's size, c(z). At the first pixel:
`{numbers(features[0, 0, 0])}`.

**Wavefront** (`window.py`). A window holds {len(model.config.pixel.window.offsets)} places. Pixel (i, j) belongs to step j + 2 i: {len(canvas.bounds) - 1} steps instead of
{SIDE * SIDE}, the longest of {int(np.diff(canvas.bounds).max())} pixels. With {settings.places} places an update (`--effort {DEFAULT_EFFORT}`), the weights move {learns.sum()} times.

**Intervals** (`learning.py`, `coding/logistic.py`). Part by part, each value gets a mixture of
{model.config.pixel.mixtures} logistics and so an interval of 2^22. The first four (green of the first four steps' first pixels, red and blue
between them) start at `{numbers(pixel_cost.starts[:4])}` and hold `{numbers(pixel_cost.freqs[:4])}`. All pixels cost {pixel_cost.bits:.1f} bits
({static_cost.bits:.1f} if nothing is learned), z costs {latent_cost.bits:.1f}.

{lessons(model, scene, x, settings)}
**ANS** (`coding/ans.py`). A message starts as one head of 2^31 and no words. After the pixels it has the head
`{int(after_pixels.heads[0]):x}` and {len(after_pixels.words)} words; after z, the head `{int(message.heads[0]):x}` and {len(message.words)} words.

**File** (`container.py`). The header has {start} bytes, the data {len(file.data)}, the file {len(data)}: {8 * len(data) / pixels.size:.3f} bits per channel value.

```
{hexadecimal(data[:start])}    header: VLZ, version {data[3]}, kind and mode, {header.width} x {header.height}, model {header.model.hex()}, geometry
{hexadecimal(data[start : start + 3])}    the DATA chunk, its length
{hexadecimal(file.data[:5])}    CRC-32 of the pixels, a learner's
{hexadecimal(file.data[5:7])}    places of an update, less one; number of the rate
{hexadecimal(file.data[7:9])}    length of the tile
{hexadecimal(file.data[9:17])}    the head, little-endian
{hexadecimal(file.data[17:])}
{hexadecimal(data[-4:])}    CRC-32 of all that
```

**Back.** Decoding pops z, computes the same features, goes through the same steps, {int(np.diff(canvas.bounds).max())} pixels at a time at the most, and
moves the weights as the encoder did; the stack ends as it began, and the pixels have the checksum that the file holds.
"""


def after_first_update(model: Vlae, scene: local_ar.Scene, x: np.ndarray, settings: Settings) -> tuple[Learner, int]:
    """A learner that stops after its first update, and the places that this was made of."""
    bounds, learns = learning.parts_of(local_ar.Canvas(model.config.pixel, scene, x).bounds, settings.places)
    count, state = int(learns.argmax()) + 1, learned.begin(model, False)
    with mock.patch.object(learning, "parts_of", return_value=(bounds[: count + 1], learns[:count])):
        learning.encode_intervals(model.pixel, state, scene, x, settings)
    return state, int(bounds[count])


def lessons(model: Vlae, scene: local_ar.Scene, x: np.ndarray, settings: Settings) -> str:
    """What is learned at first. The first means are over one update, so moments are gradients."""
    begun, (state, places) = learned.begin(model, False), after_first_update(model, scene, x, settings)
    out = len(model.pixel.layers) + len(model.pixel.heads)  # of green
    _, width, inputs, outputs, first, start, row, fraction, limit = (int(v) for v in state.table[out])
    errors = state.bias_moments[start : start + outputs] >> learner.BIAS_GAIN + learner.GRADIENT_BITS
    sizes = np.abs(state.moments[first : first + inputs * width].reshape(inputs, width)[:, :outputs])
    i, o = np.argwhere(sizes == np.sort(sizes[sizes > 0])[np.count_nonzero(sizes) // 2])[0]
    at = first + i * width + o
    moment, spread = int(state.moments[at]), int(state.spreads[at]) + learner.SPREAD_FLOOR
    exponent = spread.bit_length() - learner.SPREAD_BITS
    short = learner.SPREAD_BITS - learner.LEADING_BITS
    middle = (2 * (spread >> exponent + short) + 1) << short - 1
    inverse = (8 - settings.rate % 4 << learner.RATIO_BITS - 3) // middle
    shift = int(state.step_shifts[start + o] - state.lifts[row + i]) + settings.rate // 4
    before, after = int(begun.masters[at]), int(state.masters[at])
    assert before - after == ((moment >> exponent) * inverse + (1 << shift - 1)) >> shift
    back = fraction + int(model.pixel.outs[0].shift[o]) - int(state.back_shifts[start + o])
    moved = np.count_nonzero(state.masters != begun.masters) / int((state.table[:, 2] * state.table[:, 3]).sum())
    return f"""**Errors** (`mixture_gradient.py`). What a value cost has slopes by the net's answers, and 2^15 times these are errors. Over the first {places}
places, those of green's {outputs // 3} logits, means and log-scales sum to `{numbers(errors)}`.

**The first update** (`learner_kernels.py`). Errors have gone back through all layers but the stem, and each weight has the sum of errors times
inputs: for input {i} of green's last layer, and output {o}, that is {moment >> learner.GRADIENT_BITS} over these places. In 1/{1 << learner.GRADIENT_BITS} it is {moment}, which is the first moment; the
first spread is as large, with {learner.SPREAD_FLOOR} more {spread}. Its leading {learner.SPREAD_BITS} bits are {spread >> exponent}, near {middle}, and {(8 - settings.rate % 4) << learner.RATIO_BITS - 3} / {middle} = {inverse} for the rate's number {settings.rate}. So
the step is ({moment} >> {exponent}) {inverse} / 2^{shift} = {before - after}: at first everything that has a gradient moves by about the rate, {settings.real_rate:.2g}.
The layer keeps {fraction} bits below one ({back} on the way back): the master goes from {before} to {after}, what products see from {before / 2**fraction:.0f} to {after / 2**fraction:.2f}, rounded; it
will never be beyond {limit}. {100 * moved:.0f} % of all weights that learn have moved.
"""


def lossy(pixels: np.ndarray) -> str:
    """The page's second half."""
    info = weights.find(weights.DEFAULT)
    model = weights.load(info.path, "lossy")
    level = DEFAULT_QUALITY - 1
    z = block.rounded_latent(model, pixels, level, api.TILE)
    data = api.compress(Image.fromarray(pixels))
    cost = local_ar.encode_intervals(model.prior, model.prior_scene(z.shape[:3], level), z)
    preview = np.asarray(api.decompress(data, preview=True))
    dream = np.asarray(api.decompress(data))
    return f"""## Lossy

The other set of weights has a larger z, {z.shape[1]} x {z.shape[2]} positions of {z.shape[3]} channels, and its file holds nothing else. At the default
quality {DEFAULT_QUALITY} the steps of z are `{numbers(model.rounding[level][:8])}` ... in 1/32; z begins `{numbers(z[0, 0, 0][:8])}` ... and costs {cost.bits:.1f} bits.

The file has {len(data)} bytes:

```
{hexadecimal(data, 64)}
```

Its preview, the mean picture of z, begins `{numbers(preview[0, :4])}`; its dream, the same pixel decoder run on random bits,
`{numbers(dream[0, :4])}`. They are {np.abs(dream.astype(int) - preview).mean():.2f} levels apart on average, and their means
{abs(dream.mean() - preview.mean()):.2f}.
"""


def text() -> str:
    """The whole page."""
    head = "# A tour: one picture through every step\n\nWritten by `docs/tour.py`; a test compares.\n"
    return "\n".join([head, lossless(picture()), lossy(picture())])


if __name__ == "__main__":
    PAGE.write_text(text())
