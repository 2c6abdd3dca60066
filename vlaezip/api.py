"""The whole path on one page: a picture in, the bytes of a .vlz out, and back."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from os import PathLike

import numpy as np
from PIL import Image

from vlaezip.codec import archive, block, learned, lossless, lossy
from vlaezip.codec.block import MAX_WORDS, TooLong
from vlaezip.coding.logistic import Ints
from vlaezip.device import placement
from vlaezip.device.choose import choose
from vlaezip.errors import CorruptFile, ImageError, ModelError, WrongKind
from vlaezip.format import metadata, pixels
from vlaezip.format.archive_names import numbered
from vlaezip.format.container import ARCHIVE_TILE, MODELLED_MODES, Bytes, Container, Header, Kind, read, write
from vlaezip.format.contest import hopeless, is_drawn, may_be_smaller
from vlaezip.format.limits import least_bits
from vlaezip.format.pixels import Part, Picture, Plane
from vlaezip.format.stored import pack_alpha, store, unpack_alpha, unstore
from vlaezip.model import tuned, weights
from vlaezip.model.vlae import Vlae
from vlaezip.options import Options, check_draws, found
from vlaezip.search.effort import Progress, settings_tried, unheard

TILE = 1024
PLACES_PER_LANE = 1 << 14
MAX_LANES = 1 << 12


def compress(
    image: Image.Image | Picture,
    *,
    lossless: bool = False,
    quality: int | None = None,
    seed: int = 0,
    temperature: float | None = None,
    device: str = "auto",
    strip: bool = False,
    model: str = weights.DEFAULT,
    effort: int | None = None,
    progress: Progress = unheard,
) -> bytes:
    """A picture as the bytes of a .vlz file. Deterministic; a lossy one with an effort, for one machine and number of
    threads. What is stored or deflated hangs on the builds of zlib and Pillow too: docs/format.md says what is the same
    everywhere.

    lossless: the same pixels come back; otherwise z alone is kept, at quality 1 (small) .. the model's levels, and the
    decoder dreams the texture with this seed and temperature (a scale on the widths of p(x|z)). Alpha is always kept
    exactly; ICC, EXIF, XMP and notes (gamma, density, texts and the like) too unless strip, and a MetadataWarning names
    what else there was. effort, 0..9: of a lossless file, how much the model learns while it codes, which a decoder
    repeats (search/effort.py; 0: nothing, the fastest); of a lossy one, time spent on a better z, by default none. A
    file is never larger for it, and decodes everywhere; progress hears the share of a search that is done. Raises
    OptionError, ImageError for pictures that are not taken, and TypeError for what is no picture. A Picture, as
    pixels.split makes it, gives the same file as its image, which need not be kept beside it.
    """
    return encode(image, Options(lossless, quality, seed, temperature, device, strip, model, effort), progress)


def encode(image: Image.Image | Picture, options: Options, progress: Progress = unheard) -> bytes:
    """compress, with options that were checked before."""
    picture = pixels.split(image, options.strip)
    if picture.mode not in MODELLED_MODES:
        return stored(picture, store(picture))
    net = network(options)
    header = lossless_header(picture, options.model) if options.lossless else lossy_header(picture, options)
    kept = store(picture) if is_drawn(picture, options.lossless) else None
    if kept is not None and 8 * len(kept) < least_bits(header, net.config.stride, net.config.latent):
        return stored(picture, kept)  # any data of a model would be longer, or be refused as flat
    try:
        if options.lossless:
            most = MAX_WORDS if kept is None else hopeless(kept)
            header, data = lossless_data(net, header, colours_of(picture), options.work, most, progress)
        else:
            data = lossy.encode(net, header, latent_of(net, header, picture, options.work, progress))
    except TooLong:
        return stored(picture, kept or store(picture))
    return finished(net, header, picture, data, kept)


def lossless_data(
    net: Vlae, header: Header, colour: Plane, effort: int, most: int = MAX_WORDS, progress: Progress = unheard
) -> tuple[Header, bytes]:
    """Header and DATA of a lossless file: the shortest that this effort finds. Raises TooLong."""
    best: tuple[Header, bytes] | None = None
    tried = settings_tried(effort, header.width * header.height)
    few = replace(header, lanes=min(header.lanes, learned.MAX_LANES))
    for done, settings in enumerate(tried):
        progress(done / len(tried))
        with suppress(TooLong, ModelError):  # a net may be too wide to learn
            best = shorter(best, (few, lossless.encode_learning(net, few, colour, settings, most)))
    if best is None or not learned.pays(net, header, colour, len(best[1])):
        with suppress(TooLong):
            best = shorter(best, (header, lossless.encode(net, header, colour, most)))
    if best is None:
        raise TooLong
    return best


def shorter(best: tuple[Header, bytes] | None, found: tuple[Header, bytes]) -> tuple[Header, bytes]:
    """The shorter of two, the first if they are alike."""
    return found if best is None or len(found[1]) < len(best[1]) else best


def latent_of(net: Vlae, header: Header, picture: Picture, effort: int, progress: Progress) -> Ints:
    """z of a lossy file."""
    z = block.rounded_latent(net, colours_of(picture), header.quality, header.tile)
    if not effort:
        return z
    from vlaezip.search import latent  # torch takes a second to import

    return latent.search(net, header, colours_of(picture), z, effort, progress)


def colours_of(picture: Picture) -> Plane:
    """What the model sees of a picture: [H, W, 3]."""
    return np.broadcast_to(picture.pixels, (*picture.pixels.shape[:2], 3))


def finished(net: Vlae, header: Header, picture: Picture, data: bytes, kept: bytes | None = None) -> bytes:
    """The file of a picture that a model coded, or that is stored because it takes less then, or is flat. kept: what
    was stored before.
    """
    alpha = None if picture.alpha is None else pack_alpha(picture.alpha)
    size = len(data) + len(alpha or b"")
    flat = 8 * len(data) < least_bits(header, net.config.stride, net.config.latent)
    if kept is None and (flat or may_be_smaller(picture, size)):
        kept = store(picture)
    if kept is not None and (len(kept) < size or flat):
        return stored(picture, kept)
    return write(Container(header, data, alpha, *picture.metadata[:3], notes=picture.notes))


def stored(picture: Picture, kept: bytes) -> bytes:
    """The file of a picture that no model takes, or that is smaller so: as stored.store keeps it."""
    header = Header(Kind.STORED, picture.mode, *picture.size)
    return write(Container(header, kept, None, *picture.metadata[:3], notes=picture.notes))


def lossless_header(picture: Picture, model: str) -> Header:
    (width, height), key = picture.size, bytes.fromhex(weights.find(model).id)
    return Header(Kind.LOSSLESS, picture.mode, width, height, key, TILE, lanes(width * height))


def lossy_header(picture: Picture, options: Options) -> Header:
    (width, height), key = picture.size, bytes.fromhex(weights.find(options.model).id)
    return Header(
        Kind.LOSSY, picture.mode, width, height, key, TILE, 1, options.level, options.warmth, options.seed
    )  # fmt: skip


def network(options: Options) -> Vlae:
    """The model that these options ask for."""
    which = "lossless" if options.lossless else "lossy"
    return placement.load(weights.find(options.model).path, which, choose(options.device))


def decompress(data: bytes, *, preview: bool = False, device: str = "auto") -> Image.Image:
    """The picture of a .vlz file. preview: the mean picture of z. Raises FileError, ModelError and OptionError."""
    device, file = choose(device), read(data)
    header = file.header
    if header.kind is Kind.ARCHIVE:
        raise WrongKind(f"the file is an archive of {header.count} pictures: decompress_archive reads it")
    if header.kind is Kind.STORED:
        image = unstore(file.data, header.mode, header.width, header.height)
        return metadata.attach(image, file.metadata)
    info = weights.find(header.model)
    if header.kind is Kind.LOSSLESS:
        net = placement.load(info.path, "lossless", device)
        check_plausible(net, header, file.data)
        if file.tuning is not None:
            net = tuned.read_into(net, file.tuning, header.grey)
        parts = (lossless.preview if preview else lossless.decode)(net, header, file.data)
    else:
        net = placement.load(info.path, "lossy", device)
        check_plausible(net, header, file.data)
        parts = lossy.decode(net, header, file.data, preview)
    return joined(file, parts)


def joined(file: Container, parts: Iterable[Part]) -> Image.Image:
    """The picture of decoded samples and what stands beside them in the file."""
    header = file.header
    image = pixels.assemble(header.width, header.height, header.grey, parts)
    if file.alpha is not None:
        image.putalpha(Image.fromarray(unpack_alpha(file.alpha, header.height, header.width)))
    return metadata.attach(image, file.metadata)


def compress_archive(
    images: Mapping[str, Image.Image] | Iterable[tuple[str, Image.Image]],
    *,
    model: str = weights.DEFAULT,
    draws: int = 1,
    device: str = "auto",
) -> bytes:
    """Pictures by their names, all of one size and mode (1, L or RGB), as one .vlz file: lossless, and deterministic.

    They share one chain of bits-back, so a file is as long as the model says, and none comes back without the others.
    draws: of z for each picture, 1..64: the length goes from -ELBO towards the likelihood (coupled_draws.py), and the
    time of both ways up, for every draw by that of one encoding. Metadata is left out, with a warning that names it.
    Raises OptionError, and ImageError for pictures or names that are not taken.
    """
    check_draws(draws)
    info, device = found(model), choose(device)
    if isinstance(images, str | bytes | PathLike) or not isinstance(images, Iterable):
        raise TypeError(f"an archive is made of names and pictures, found {type(images).__name__}")
    names, mode, samples, lost = archive.gather(images.items() if isinstance(images, Mapping) else images)
    metadata.warn((f"{word} (of {name!r})" for word, name in lost.items()), "the archive")
    count, height, width, _ = samples.shape
    net = placement.load(info.path, "lossless", device)
    header = Header(Kind.ARCHIVE, mode, width, height, bytes.fromhex(info.id), ARCHIVE_TILE, count=count)
    data = archive.encode(net, header, archive.adapt(net.config, mode, samples), draws)
    if 8 * len(data) < least_bits(header, net.config.stride, net.config.latent):
        raise ImageError("these pictures are too plain for an archive: compress them one by one")
    return write(Container(header, data, names=None if names == numbered(count) else names))


def decompress_archive(data: bytes, *, device: str = "auto") -> list[tuple[str, Image.Image]]:
    """Inverse of compress_archive: names and pictures, in its order. Raises OptionError, FileError and ModelError."""
    device, file = choose(device), read(data)
    header = file.header
    if header.kind is not Kind.ARCHIVE:
        raise WrongKind("the file is one picture and no archive: decompress reads it")
    net = placement.load(weights.find(header.model).path, "lossless", device)
    check_plausible(net, header, file.data)
    images = archive.restore(net.config, header.mode, archive.decode(net, header, file.data))
    return list(zip(file.names or numbered(header.count), images, strict=True))


def lanes(places: int) -> int:
    """A power of two that grows with the work, at about 36 bits a lane."""
    return min(1 << max((places // PLACES_PER_LANE).bit_length() - 1, 0), MAX_LANES)


def check_plausible(net: Vlae, header: Header, data: Bytes) -> None:
    """Refuse pictures that these bytes or the model cannot hold, before anything is allocated. Raises CorruptFile."""
    single = header.kind is not Kind.ARCHIVE
    if net.config.channels != 3 if single else header.mode not in archive.modes(net.config):
        raise CorruptFile(f"{header.kind.name} of mode {header.mode} does not fit the model that it names")
    least = least_bits(header, net.config.stride, net.config.latent)
    if 8 * len(data) < least:
        held = f"{header.count} x {header.width} x {header.height} pixels"
        raise CorruptFile(f"{len(data)} bytes cannot hold {held}, {least / 8:.0f} might")
