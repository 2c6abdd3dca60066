"""The device path on a GPU: the same bits as the CPU's, and how fast.

    python -m benchmarks.gpu --data DIR [--limit N] [--batches 1,4,16,64,256]

Needs torch, triton, numpy, numba, Pillow and safetensors. Without a GPU it only checks a little, on the CPU. Files that
the GPU wrote go to runs/gpu/, so that other machines can try them.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.lib import pictures, report
from benchmarks.lib.pictures import Pixels
from benchmarks.lib.report import Table
from vlaezip import api
from vlaezip import batch as together
from vlaezip.codec import lossless
from vlaezip.device import batch, placement, plain, wave
from vlaezip.device import net as nets
from vlaezip.device.net import Parts
from vlaezip.errors import ModelError
from vlaezip.format import pixels
from vlaezip.format.container import Kind, read
from vlaezip.model import weights
from vlaezip.options import Options

MODELS = ("photo", "photo-fast")
PRECISIONS = ("highest", "high", "medium", "allow_tf32")
SHORT = "0.4.0-lossless"
GOLDEN = report.ROOT / "tests" / "golden"
WRITTEN = report.ROOT / "runs" / "gpu"
HEIGHT, WIDTH = 512, 768  # of what is measured
REPEATS = 20  # of a part in a graph
KEPT = 4  # pictures of which files are kept


def main() -> None:
    parser = pictures.arguments(__doc__)
    parser.add_argument("--batches", default="1,2,4,8,16,32,64,128,256", help="pictures at once")
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    found = list(pictures.load(options.data, options.limit).values())
    if not torch.cuda.is_available():
        print("There is no GPU here: a few small pictures on the CPU, by the same code.")
        print(Table("Identity", COLUMNS, identity([crop(x, 12, 15) for x in found[:2]], "cpu")).markdown())
        return
    device = torch.device("cuda")
    print(torch.cuda.get_device_name(device), torch.__version__, *both("cuda"), flush=True)
    sizes = [int(n) for n in options.batches.split(",")]
    small = [crop(x, h, w) for x, (h, w) in zip(cycle(found), SHAPES, strict=False)]
    tables = [Table("Identity", COLUMNS, identity([*small, *map(lying, found[:KEPT])], "cuda"))]
    keep([lying(x) for x in found[:KEPT]])
    for model in MODELS:
        tables += [speed(model, found, sizes), shares(model, found, sizes[-1]), searches(model, found, sizes[-1])]
    name = torch.cuda.get_device_name(device)
    report.publish("gpu", f"Batches on a GPU: {name}, torch {torch.__version__}, {triton()}", tables)


COLUMNS = ("check", "cases", "identical")
SHAPES = [(1, 1), (1, 40), (40, 1), (33, 47), (33, 47), (64, 64), (200, 300), (200, 300)]


def triton() -> str:
    return ", ".join(report.packages("triton"))


def crop(x: Pixels, height: int, width: int) -> Pixels:
    """From the middle."""
    top, left = (x.shape[0] - height) // 2, (x.shape[1] - width) // 2
    return np.ascontiguousarray(x[top : top + height, left : left + width])


def lying(x: Pixels) -> Pixels:
    """A picture of the size that is measured: turned if it stands, then cut or repeated."""
    x = x if x.shape[1] >= x.shape[0] else np.rot90(x)
    return np.ascontiguousarray(np.tile(x, (-(-HEIGHT // len(x)), -(-WIDTH // x.shape[1]), 1))[:HEIGHT, :WIDTH])


def many(found: list[Pixels], count: int) -> Any:
    """So many different pictures: uint8 [count, H, W, 3]."""
    shifts = (np.roll(lying(x), 16 * (n // len(found)), 1) for n, x in enumerate(islice(cycle(found), count)))
    return np.stack(list(shifts))


def identity(found: list[Pixels], device: str) -> list[list[object]]:
    """Files of the CPU and of a device, both ways."""
    rows: list[list[object]] = []
    images = [Image.fromarray(x) for x in found]

    def note(check: str, results: list[bool]) -> None:
        rows.append([check, len(results), "yes" if all(results) else f"NO: {results.count(False)} differ"])
        print(*rows[-1], flush=True)

    for name, parts in both(device).items():
        for precision in PRECISIONS:
            with products(precision):
                note(f"products of {name}, {precision}", [exact(parts, device)])
    for model in MODELS:
        files = [api.compress(image, lossless=True, model=model, device="cpu", effort=0) for image in images]
        whole = [image.tobytes() for image in images]
        for precision in PRECISIONS:
            with products(precision):
                made = together.coded(images, Options(lossless=True, device=device, model=model))
                note(f"{model}: files, {precision}", [a == b for a, b in zip(made, files, strict=True)])
                back = together.decoded(files, device)
                note(f"{model}: pixels, {precision}", [im.tobytes() == x for im, x in zip(back, whole, strict=True)])
        for threads in sorted({1, 2, torch.get_num_threads()}):
            with threaded(threads):
                made = together.coded(images, Options(lossless=True, device=device, model=model))
                note(f"{model}: files, {threads} threads", [a == b for a, b in zip(made, files, strict=True)])
        for size in (1, 3):
            parts_of = [files[n : n + size] for n in range(0, len(files), size)]
            back = [im for some in parts_of for im in together.decoded(some, device)]
            note(f"{model}: pixels, batches of {size}", [im.tobytes() == x for im, x in zip(back, whole, strict=True)])
        if device != "cpu":
            note(f"{model}: pixels, torch alone", alone(files, whole, device))
    note("golden files", [golden(path, device) for path in sorted(GOLDEN.glob("*.vlz")) if small_enough(path, device)])
    return rows


def both(device: str) -> dict[str, Parts]:
    """The two kinds of parts, where a device has both."""
    parts = wave.parts_for(torch.device(device).type)
    return {"torch": plain} if parts is plain else {"torch": plain, "triton": parts}


def exact(parts: Parts, device: str) -> bool:
    try:
        nets.check(parts, torch.device(device))
    except ModelError:
        return False
    return True


def alone(files: list[bytes], whole: list[bytes], device: str) -> list[bool]:
    """The same without Triton, of the small pictures."""
    chosen = [n for n, x in enumerate(whole) if len(x) < 3 * 64 * 64 + 1]
    before = wave.parts_for
    wave.parts_for = lambda kind: plain  # type: ignore[assignment]
    try:
        back = together.decoded([files[n] for n in chosen], device)
    finally:
        wave.parts_for = before
    return [im.tobytes() == whole[n] for im, n in zip(back, chosen, strict=True)]


def small_enough(path: Path, device: str) -> bool:
    """Whether a golden file is for this path: a lossless picture; on a CPU, where torch takes seconds, one of them."""
    return read(path.read_bytes()).header.kind is Kind.LOSSLESS and (device != "cpu" or path.stem == SHORT)


def golden(path: Path, device: str) -> bool:
    (image,) = together.decoded([path.read_bytes()], device)
    return image.tobytes() == Image.open(path.with_suffix(".png")).tobytes()


@contextmanager
def products(precision: str) -> Iterator[None]:
    """As a host program may have set torch up."""
    before = torch.get_float32_matmul_precision()
    if precision == "allow_tf32":
        torch.backends.cuda.matmul.allow_tf32 = True
    else:
        torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def threaded(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep(found: list[Pixels]) -> None:
    """Write files of the GPU, and what they must decode to."""
    WRITTEN.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        files = together.coded([Image.fromarray(x) for x in found], Options(lossless=True, device="cuda", model=model))
        for n, (data, x) in enumerate(zip(files, found, strict=True)):
            (WRITTEN / f"{model}-{n}.vlz").write_bytes(data)
            (WRITTEN / f"{model}-{n}.sha256").write_text(hashlib.sha256(x.tobytes()).hexdigest())


def header_of(model: str) -> Any:
    return api.lossless_header(pixels.split(Image.new("RGB", (WIDTH, HEIGHT))), model)


def clock(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result, and seconds until the GPU is done."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    result = work()
    torch.cuda.synchronize()
    return result, time.perf_counter() - start


def speed(model: str, found: list[Pixels], sizes: list[int]) -> Table:
    """Encoding and decoding, from samples to bytes and back, checksums included; the best of two."""
    net, header, rows = placement.load(weights.find(model).path, "lossless", "cuda"), header_of(model), []
    for size in sizes:
        x = many(found, size)
        files, first = clock(partial(together.encode_many, net, header, x))
        files, second = clock(partial(together.encode_many, net, header, x))
        back, third = clock(partial(together.decode_many, net, header, files))
        back, fourth = clock(partial(together.decode_many, net, header, files))
        if not (back == x).all():
            raise SystemExit(f"{model}, batch of {size}: a picture did not come back bit for bit")
        million, encode, decode = size * HEIGHT * WIDTH / 1e6, min(first, second), min(third, fourth)
        peak = torch.cuda.max_memory_allocated() / 2**30
        steps = WIDTH + 2 * HEIGHT - 2
        rows.append([size, encode, million / encode, decode, million / decode, 1e6 * decode / steps, peak])
        print(model, *rows[-1], flush=True)
    columns = ("batch", "encode s", "MP/s", "decode s", "MP/s", "us a step", "GiB at most")
    note = f"Pictures of {WIDTH} x {HEIGHT}. A step: decoding by steps of the wavefront, all else included."
    return Table(f"{model}: speed", columns, rows, note=note)


def stage(model: str, found: list[Pixels], size: int) -> Any:
    """All that a step of average length works on: parts, net, field, rows, line, lanes."""
    device = torch.device("cuda")
    loaded, parts = placement.load(weights.find(model).path, "lossless", "cuda"), wave.parts_for("cuda")
    header, x = header_of(model), many(found, size)
    files = together.encode_many(loaded, header, x)
    messages = [lossless.open_data(header, data).message for data in files]
    shape = (size, HEIGHT, WIDTH)
    messages, z = batch.prior_codec(loaded, shape, 0).pop(messages)
    scene = batch.pixel_scene(loaded, z, shape, False)
    net = nets.build(loaded.pixel, scene.steps, False, 0, device, parts.OPERAND)
    field = wave.field_of(net.config, scene, torch.from_numpy(x.astype(np.int32)).to(device))
    lines, counts = wave.steps_of(HEIGHT, WIDTH)
    step = int(np.argmin(abs(counts - counts.mean())))
    m = -(-int(counts[step]) // wave.UNIT) * wave.UNIT
    line = torch.from_numpy(lines[step, : 1 + m].copy()).to(device)
    rows = nets.rows_for(net, size * m)
    wave.step(parts, net, field, rows, wave.lanes_of(messages, device), line)
    return loaded, z, parts, net, field, rows, line, wave.lanes_of(messages, device)


def microseconds(work: Callable[[], Any]) -> float:
    """Of a piece of work, REPEATS times in a graph."""
    work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(REPEATS):
            work()
    return min(clock(graph.replay)[1] for _ in range(5)) * 1e6 / REPEATS


def shares(model: str, found: list[Pixels], largest: int) -> Table:
    """What the parts of a step take, one by one."""
    rows: dict[str, list[object]] = {}
    sizes = sorted({1, min(16, largest), min(64, largest), largest})
    for size in sizes:
        loaded, z, parts, net, field, now, line, lanes = stage(model, found, size)
        shape = (size, HEIGHT, WIDTH)
        work: dict[str, Callable[[], Any]] = {
            "gather": partial(parts.gather_windows, net, field, now, line),
            "MLP": partial(multiply, parts, net, now),
            "mixtures": partial(each, partial(parts.mixture, net), net, now),
            "search and ANS": partial(each, partial(parts.pop, net), net, now, line, lanes),
            "writes": partial(parts.write_values, net, field, now, line),
            "whole step": partial(wave.step, parts, net, field, now, lanes, line),
        }
        for name, job in work.items():
            rows.setdefault(name, [name]).append(microseconds(job))
        nets_seconds = clock(partial(batch.pixel_scene, loaded, z, shape, False))[1]
        rows.setdefault("nets, ms a batch", ["nets, ms a batch"]).append(1e3 * nets_seconds)
    note = "Microseconds of a step of average length, each part by itself in a graph; 'nets' is once a batch."
    return Table(f"{model}: parts of a step", ("part", *(f"batch {n}" for n in sizes)), list(rows.values()), 1, note)


def each(work: Callable[..., None], net: nets.Net, *words: Any) -> None:
    """work for each group."""
    for group in net.groups:
        work(group, *words)


def multiply(parts: Parts, net: nets.Net, rows: nets.Rows) -> None:
    """All products of a step."""
    parts.product(net.stem, nets.RECTIFIED, rows.inputs, rows.trunk)
    for layer in net.layers:
        parts.product(layer, nets.RESIDUAL, rows.trunk, rows.other)
    for group in net.groups:
        parts.product(group.head, nets.RECTIFIED, rows.trunk, rows.head)
        parts.product(group.out, nets.PLAIN, rows.head, rows.outputs)


def searches(model: str, found: list[Pixels], size: int) -> Table:
    """Search and ANS by warps of a message and edges seen at once: what kernels.POP_WARPS and PROBES should be."""
    parts: Any = wave.parts_for("cuda")
    _, _, _, net, _, rows, line, lanes = stage(model, found, size)
    if parts is plain:
        return Table(f"{model}: search and ANS", ("",), [], note="Triton is not there.")
    before, table = (parts.POP_WARPS, parts.PROBES), []
    for warps in (1, 2, 4, 8):
        row: list[object] = [f"{warps} warps"]
        for probes in (4, 8, 16, 32):
            parts.POP_WARPS, parts.PROBES = warps, probes
            row.append(microseconds(partial(each, partial(parts.pop, net), net, rows, line, lanes)))
        table.append(row)
    parts.POP_WARPS, parts.PROBES = before
    columns = ("", *(f"{n} edges" for n in (4, 8, 16, 32)))
    return Table(f"{model}: search and ANS, batch {size}, us a step", columns, table, 1)


if __name__ == "__main__":
    main()
