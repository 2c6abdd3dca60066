"""Where the seconds of one picture at effort 0 go, beside what arithmetic alone would take: CPU seconds of one core.

python -m benchmarks.stages --data FOLDER

Nets, intervals and stack are timed in the codec itself; the parts of the wavefront alone, as kernels over all places of
the first picture in chunks as long as a step. The floor is the multiplications of p(x|z) at the rate of a product that
stays in the caches, and the bytes of picture and file at the rate of a copy.
"""

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from PIL import Image

import vlaezip
from benchmarks.lib import pictures, report
from benchmarks.lib.pictures import Pixels
from benchmarks.lib.report import Table
from vlaezip import api
from vlaezip.codec import block, lossless
from vlaezip.coding import ans
from vlaezip.exact import matmul, microkernel
from vlaezip.exact.law import Affine
from vlaezip.format import container, contest, pixels
from vlaezip.model import local_ar, local_kernels, weights
from vlaezip.model.vlae import Vlae
from vlaezip.model.window import median_inputs

ROUNDS = 3
CHUNK = 192  # places: half a step of a picture of 768 x 512
MODELS = ("photo", "photo-fast")
COPY_BYTES = 1 << 28


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process, the least of a few rounds after a first one."""
    work()
    found = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


@numba.njit(nogil=True)
def gather(picture: Any, rows: Any, chunk: int) -> None:
    """All windows of a picture."""
    for start in range(0, len(picture.order) - chunk + 1, chunk):
        spot, base, size = picture.spot[start : start + chunk], rows.base, rows.size
        median_inputs(picture.flat, picture.shown.shape[1], spot, picture.runs, picture.ring, rows.inputs, base, size)


@numba.njit(nogil=True)
def multiply(net: Any, rows: Any, chunks: int, chunk: int) -> None:
    """All products of the net, on whatever lies in the buffers."""
    for _ in range(chunks):
        matmul.product(net.layers, 0, microkernel.RECTIFIED, rows.inputs, rows.trunk, chunk)
        for layer in range(net.depth):
            matmul.product(net.layers, 1 + layer, microkernel.RESIDUAL, rows.trunk, rows.other, chunk)
        for group in range(len(net.groups)):
            matmul.product(net.layers, 1 + net.depth + group, microkernel.RECTIFIED, rows.trunk, rows.head, chunk)
            last = 1 + net.depth + len(net.groups) + group
            matmul.product(net.layers, last, microkernel.PLAIN, rows.head, rows.outputs, chunk)


@numba.njit(nogil=True)
def answers(net: Any, rows: Any, chunks: int, chunk: int) -> None:
    """The heads' products, and mixtures."""
    for _ in range(chunks):
        for group in range(len(net.groups)):
            local_kernels.evaluate_mixtures(net, rows, group, chunk)


@numba.njit(nogil=True)
def heads(net: Any, rows: Any, chunks: int, chunk: int) -> None:
    """The heads' products alone."""
    for _ in range(chunks):
        for group in range(len(net.groups)):
            matmul.product(net.layers, 1 + net.depth + group, microkernel.RECTIFIED, rows.trunk, rows.head, chunk)
            last = 1 + net.depth + len(net.groups) + group
            matmul.product(net.layers, last, microkernel.PLAIN, rows.head, rows.outputs, chunk)


def macs(net: Vlae) -> int:
    """Multiplications of p(x|z) a pixel."""
    p = net.pixel
    return sum(layer.weight.size for layer in (p.stem, *p.layers, *p.heads, *p.outs))


def rate(layer: Affine) -> float:
    """Multiplications a second of one core: a layer, over rows that stay in the caches."""
    net = matmul.pack([layer])
    inputs, outputs = layer.weight.shape
    x, out = (
        matmul.aligned_zeros((CHUNK + microkernel.TILE_ROWS, matmul.round_up(n, 32)), np.int16)
        for n in (inputs, outputs)
    )
    times = 1 + int(2e9) // (layer.weight.size * CHUNK)

    def work() -> None:
        for _ in range(times):
            matmul.product(net, 0, microkernel.RECTIFIED, x, out, CHUNK)

    return times * layer.weight.size * CHUNK / seconds(work)


def bandwidth() -> float:
    """Bytes a second that a copy reads and writes."""
    source = np.ones(COPY_BYTES, np.uint8)
    target = np.empty_like(source)
    return 2 * COPY_BYTES / seconds(lambda: np.copyto(target, source))


def stages(x: Pixels, model: str) -> dict[str, float]:
    """CPU seconds of each stage of a picture that fits into one tile."""
    image, whole = Image.fromarray(x), x[None].astype(np.int32)
    net = weights.load(weights.find(model).path, "lossless")
    data = vlaezip.compress(image, lossless=True, model=model, effort=0)
    file = container.read(data)
    z = block.first_latent(net, whole)
    scene = net.pixel_scene(z, (1, *x.shape[:2]))
    canvas, shape = local_ar.Canvas(net.config.pixel, scene, whole), local_ar.packed_net(net.pixel, scene)
    rows = local_ar.buffers_for(net.config.pixel, len(net.pixel.stem.weight), CHUNK)
    coded = local_ar.encode_intervals(net.pixel, scene, whole)
    message = ans.push(ans.empty(file.header.lanes), *coded)
    chunks = len(canvas.order) // CHUNK
    local_kernels.evaluate_trunk(shape, canvas.arrays, rows, 0, CHUNK)  # what kernels alone are run on
    mixing = seconds(lambda: answers(shape, rows, chunks, CHUNK)) - seconds(lambda: heads(shape, rows, chunks, CHUNK))
    found = {
        "encode, all": seconds(lambda: vlaezip.compress(image, lossless=True, model=model, effort=0)),
        "decode, all": seconds(lambda: vlaezip.decompress(data)),
        "samples of the picture": seconds(lambda: pixels.split(image)),
        "q(z|x)": seconds(lambda: block.first_latent(net, whole)),
        "features of z": seconds(lambda: net.pixel_scene(z, (1, *x.shape[:2]))),
        "parallel pass": seconds(lambda: local_ar.encode_intervals(net.pixel, scene, whole)),
        "push": seconds(lambda: ans.push(ans.empty(file.header.lanes), *coded)),
        "guess at PNG": seconds(lambda: contest.may_be_smaller(pixels.split(image), len(data))),
        "wavefront": seconds(lambda: local_ar.pop(net.pixel, scene, message)),
        "of it canvas": seconds(lambda: local_ar.Canvas(net.config.pixel, scene, whole)),
        "of it windows": seconds(lambda: gather(canvas.arrays, rows, CHUNK)),
        "of it products": seconds(lambda: multiply(shape, rows, chunks, CHUNK)),
        "of it mixtures": mixing,
        "container": seconds(lambda: container.write(container.read(data))),
        "checksum": seconds(lambda: lossless.checksum(x)),
    }
    found["floor, products"] = macs(net) * x.shape[0] * x.shape[1] / rate(net.pixel.layers[0])
    found["floor, bytes"] = (x.size + len(data)) / bandwidth()
    return found


def main() -> None:
    parser = pictures.arguments(__doc__)
    options = parser.parse_args()
    pictures.use_threads(1)
    name, x = next(iter(pictures.load(options.data, 1).items()))
    tile = np.ascontiguousarray(x[: api.TILE, : api.TILE])
    columns = {model: stages(tile, model) for model in MODELS}
    rows = [[stage, *(columns[model][stage] for model in MODELS)] for stage in columns[MODELS[0]]]
    note = "What the wavefront takes beyond the parts named here is the search of symbols, their values, and the stack."
    title = f"Stages of {name}, {tile.shape[1]} x {tile.shape[0]}, CPU seconds on one thread"
    report.publish("stages", title, [Table("", ["stage", *MODELS], rows, 4, note)])


if __name__ == "__main__":
    main()
