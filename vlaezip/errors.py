"""Everything that vlaezip raises on purpose.

VlaezipError
├── FileError                 the bytes are at fault
│   ├── CorruptFile           damaged, cut short, or no .vlz file at all
│   ├── UnsupportedVersion    a .vlz file, but of a newer format
│   ├── UnknownModel          a sound file, made with a model that is not installed
│   └── WrongKind             a sound file: an archive where one picture was asked for, or the reverse
├── ImageError                the picture is at fault: a mode, size or kind that is not taken
└── ModelError                the weights or the device are: the law of exactness is broken, or the device is unknown

MetadataWarning is no error: all went well, but not all that stood beside the picture is kept.
"""


class VlaezipError(Exception):
    """The root: catch this one at the door."""


class FileError(VlaezipError):
    """A file that cannot be read, whatever the reason."""


class CorruptFile(FileError):
    """The bytes contradict the format; the message says what was found and what was expected."""


class UnsupportedVersion(FileError):
    """The file has a format version that this reader does not know."""


class UnknownModel(FileError):
    """The file names a model that is not installed; the message gives its id."""


class WrongKind(FileError):
    """The file holds an archive and one picture was asked for, or the reverse; the message says what reads it."""


class ImageError(VlaezipError):
    """A picture that is not taken; the message names its mode or size and what is taken instead."""


class ModelError(VlaezipError):
    """Weights that break the law of exactness, fail their known-answer test, or a device that cannot run them."""


class MetadataWarning(UserWarning):
    """Something that stood beside the samples of a picture is not kept; the message names it."""
