"""Everything that vlaezip raises on purpose.

VlaezipError
├── FileError                 the bytes are at fault
│   ├── CorruptFile           damaged, cut short, or no .vlz file at all
│   ├── UnsupportedVersion    a .vlz file, but of a newer format
│   ├── UnknownModel          a sound file, made with a model that is not installed
│   └── WrongKind             a sound file: an archive where one picture was asked for, or the reverse
├── ImageError                the picture is at fault: a mode, size or kind that is not taken
├── OptionError               an option is at fault, alone or beside the others; also a ValueError
└── ModelError                the weights or the device are: the law of exactness is broken, or an answer is wrong

VlaezipWarning
└── MetadataWarning           what stood beside the samples of a picture is not all kept
"""


class VlaezipWarning(UserWarning):
    """All went well, but not as one would expect; the message says what is different."""


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


class OptionError(VlaezipError, ValueError):
    """An option that is not known, out of its range, or of no use beside the others; found before any work is done."""


class ModelError(VlaezipError):
    """Weights that break the law of exactness, fail their known-answer test, or a device that cannot run them."""


class MetadataWarning(VlaezipWarning):
    """Something that stood beside the samples of a picture is not kept; the message names it."""
