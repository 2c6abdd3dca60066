"""Model files: find them, load them, prove the law of exactness for every layer, and test the device.

A file is a safetensors file of integers: <set>/<layer>.weight int8 or int16 [O, I], .bias int32 [O], .shift uint8
[O], and <set>/rounding int32 [levels, Z]. Its header carries the configurations and the known answers. The id of a
model is the first four bytes of the SHA-256 of all that decides a bit.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlaezip.errors import ModelError, UnknownModel

if TYPE_CHECKING:
    import numpy as np

    from vlaezip.model.vlae import Vlae

HERE = Path(__file__).parents[1]
FOLDERS = (HERE / "models", HERE.parent / "models")  # installed; in a checkout
HEADER_MAX = 1 << 20
ID_BYTES = 4
DEFAULT = "photo"
TEST_SIDE = 64  # of the picture of the known-answer test


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model file, as its header tells. id: hexadecimal; sets: names of its sets of weights; size in bytes."""

    name: str
    id: str
    sets: tuple[str, ...]
    size: int
    path: Path
    metadata: dict[str, str]


def read_info(path: Path) -> ModelInfo:
    """The header of a model file. Raises ModelError."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\xff"))
            if length > HEADER_MAX:
                raise ModelError(f"{path.name} is no model: its header would have {length} bytes")
            return parsed(path, json.loads(file.read(length)), 8 + length)
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise ModelError(f"{path.name} is no model: its header lacks {error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path.name} is no model: {error}") from error


def parsed(path: Path, header: dict[str, Any], start: int) -> ModelInfo:
    """What the header of a file says, whose weights begin at byte `start`.

    Raises ModelError, ValueError, TypeError, AttributeError, KeyError.
    """
    metadata = header["__metadata__"]
    name, key, configs = metadata["name"], metadata["id"], json.loads(metadata["configs"])
    answers = json.loads(metadata.get("answers", "{}"))
    kinds = isinstance(name, str) and isinstance(configs, dict) and isinstance(answers, dict)
    if not kinds or len(bytes.fromhex(key)) != ID_BYTES:
        raise ValueError(f"its name is {name!r}, its id {key!r}, its sets {configs!r}, its answers {answers!r}")
    size = path.stat().st_size
    whole = start + max((t["data_offsets"][1] for k, t in header.items() if k != "__metadata__"), default=0)
    if size != whole:
        raise ModelError(f"{path.name} is damaged: it has {size} bytes, its header says {whole}")
    return ModelInfo(name, key, tuple(configs), size, path, metadata)


@lru_cache(maxsize=1)
def surveyed() -> tuple[tuple[ModelInfo, ...], dict[str, str]]:
    """The models of the folder, by name; and by the name of its file, what is wrong with one that is broken.

    A copy of a model, in a file that is not called like it, does not stand before the model.
    """
    folder = next((f for f in FOLDERS if f.is_dir()), None)
    sound: list[ModelInfo] = []
    wrong: dict[str, str] = {}
    for path in sorted(folder.glob("*.safetensors")) if folder else ():
        try:
            sound.append(read_info(path))
        except ModelError as error:
            wrong[path.stem] = str(error)
    return tuple(sorted(sound, key=lambda info: (info.path.stem != info.name, info.name))), wrong


def available() -> tuple[ModelInfo, ...]:
    """All models that are installed, by name, but for broken ones."""
    return surveyed()[0]


def broken() -> dict[str, str]:
    """What is wrong with model files that are not available, by their names."""
    return surveyed()[1]


def find(wanted: bytes | str) -> ModelInfo:
    """A model by its id of four bytes or by its name. Raises UnknownModel, or ModelError if its file is broken."""
    key = wanted.hex() if isinstance(wanted, bytes) else wanted
    for info in available():
        if key in (info.id, info.name):
            return info
    if key in broken():
        raise ModelError(broken()[key])
    known = ", ".join(f"{i.name} ({i.id})" for i in available()) or "none"
    others = f"; broken: {', '.join(broken())}" if broken() else ""
    raise UnknownModel(f"model {key} is not installed; installed: {known}{others}")


def identity(tensors: "Mapping[str, np.ndarray]", configs: str, answers: str) -> str:
    """The id of a model, hexadecimal."""
    digest = hashlib.sha256((configs + answers).encode())
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].tobytes())
    return digest.hexdigest()[: 2 * ID_BYTES]


@lru_cache(maxsize=8)
def load(path: Path, which: str) -> "Vlae":
    """One set of weights, proven, and tested on this machine. Raises ModelError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    info = read_info(path)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, TypeError, AttributeError) as error:  # the last two: of a type that numpy lacks
        raise ModelError(f"{path.name} is damaged: {error}") from error
    configs = info.metadata["configs"]
    if (found := identity(tensors, configs, info.metadata.get("answers", "{}"))) != info.id:
        raise ModelError(f"{path.name} is damaged: its weights have id {found}, its header says {info.id}")
    if (fields := json.loads(configs).get(which)) is None:
        raise ModelError(f"{path.name} lacks a set {which}; its sets are {', '.join(info.sets)}")
    model = assemble(tensors, which, fields)
    check_answer(model, path, which, "this machine")
    return model


def check_answer(model: "Vlae", path: Path, which: str, where: str) -> None:
    """Raise ModelError unless a model gives the known answer of its file, wherever its nets are."""
    expected = json.loads(read_info(path).metadata.get("answers", "{}")).get(which)
    if expected is None:
        raise ModelError(f"{path.name} lacks an answer for its set {which}")
    if (found := known_answer(model)) != expected:
        raise ModelError(f"{where} does not compute exactly: known answer {expected[:8]}, got {found[:8]}")


def assemble(tensors: "Mapping[str, np.ndarray]", which: str, fields: dict[str, Any]) -> "Vlae":
    """Prove every layer of a set and build the model, on the CPU. Raises ModelError."""
    from vlaezip.exact import law
    from vlaezip.model import config, layout, transforms, vlae

    try:
        sizes = config.from_json(fields)
        layers = {}
        for layer in layout.layers(sizes):
            weight, bias, shift = (tensors[f"{which}/{layer.name}.{p}"] for p in ("weight", "bias", "shift"))
            expected = (len(layer.steps), len(layer.largest))
            if weight.shape != expected or len(bias) != len(shift) or len(bias) != expected[0]:
                raise ModelError(f"{layer.name} has shape {weight.shape}, its configuration asks for {expected}")
            kinds = tuple(str(a.dtype) for a in (weight, bias, shift))
            if kinds not in (("int8", "int32", "uint8"), ("int16", "int32", "uint8")):
                raise ModelError(f"{layer.name} is of {kinds}, expected int8 or int16, int32 and uint8")
            layers[layer.name] = law.affine(layer.name, weight, bias, shift, layer.largest)
        rounding = tensors[f"{which}/rounding"]
        check_rounding(rounding, (sizes.levels, sizes.latent))
        return vlae.build(sizes, transforms.PackedTransforms(sizes, *vlae.stacks(sizes, layers)), layers, rounding)
    except (KeyError, TypeError) as error:
        raise ModelError(f"the set {which} lacks {error}") from error


def check_rounding(steps: "np.ndarray", shape: tuple[int, int]) -> None:
    """Raise ModelError unless there is a step of z for every level and channel."""
    from vlaezip.model.config import LATENT_MAX

    if steps.dtype != "int32" or steps.shape != shape:
        raise ModelError(f"rounding is {steps.dtype} of shape {steps.shape}, expected int32 of {shape}")
    if steps.min() < 1 or steps.max() > LATENT_MAX:
        raise ModelError(f"rounding steps are {steps.min()}..{steps.max()}, outside 1..{LATENT_MAX}")


def known_answer(model: "Vlae") -> str:
    """SHA-256 of the integers that a fixed picture gives in every net of the model."""
    import numpy as np

    from vlaezip.model import local_ar

    i, j, c = np.ogrid[:TEST_SIDE, :TEST_SIDE, : model.config.channels]
    x = ((i * i + 3 * i * j + 40 * c + 17 * ((i // 8 + j // 8) % 5)) % 256).astype(np.int32)[None]
    x //= model.config.gain
    posterior = model.posterior(x)
    z = posterior.round(model.steps(0))
    preview, features = model.preview(z)
    digest = hashlib.sha256()
    arrays: list[Any] = [posterior.mean, posterior.scale, z, preview, features]
    for net, scene, values in (
        (model.prior, model.prior_scene(z.shape[:3], 0), z),
        (model.pixel, model.pixel_scene(z, x.shape[:3]), x),
    ):
        arrays += local_ar.encode_intervals(net, scene, values)[:2]
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
