"""Every error that robustcert raises on purpose.

RobustcertError
├── InputError              your input is wrong: expected, got, remedy        (exit code 2)
│   ├── SpecificationError  the specification, with path and line
│   ├── DataError           data set, contract or split
│   ├── ModelError          model file, architecture or preprocessing
│   └── KeyFileError        signing or verification key
├── ClaimError              the claim does not hold                           (exit code 1)
│   ├── VerificationError   a certificate or its evidence is refused
│   └── ValidityError       an evaluation can't vouch for itself
└── WorldError              the world failed: disk, network, a step           (exit code 2)
    ├── StorageError        the store can't be read or written
    └── StepError           a pipeline step ended without its outputs
"""

import re

_CREDENTIALS = re.compile(r"(\b[a-z][a-z0-9+.-]*:/{1,2})[^/\s'\"@]*@", re.IGNORECASE)


class RobustcertError(Exception):
    """Root of the tree. Its text is one line that a command line user can act on."""


class InputError(RobustcertError):
    """Something from outside is wrong; the text says what was expected, what came, and what to do."""


class SpecificationError(InputError):
    """The specification is wrong, at a path and line of the file."""


class DataError(InputError):
    """A data set, its contract or its splits are wrong."""


class ModelError(InputError):
    """A model can't be used: file, architecture, shapes or preprocessing."""


class KeyFileError(InputError):
    """A key file is missing, unreadable, of another kind or locked."""


class ClaimError(RobustcertError):
    """What was claimed does not hold."""


class VerificationError(ClaimError):
    """A certificate, or something presented with it, is refused."""


class ValidityError(ClaimError):
    """An evaluation failed one of its own sanity checks and may not be used as evidence."""


class WorldError(RobustcertError):
    """Input and claim are fine, but the world failed."""


class StorageError(WorldError):
    """The store can't be read or written, or returned other bytes than were put there."""


class StepError(WorldError):
    """A pipeline step ended without its outputs."""


def expected(what: str, *, got: object, remedy: str) -> str:
    """The one sentence every input error is made of.

    >>> expected("a folder", got="'x.txt', a file", remedy="name the folder that holds it")
    "expected a folder, got 'x.txt', a file; name the folder that holds it"
    """
    return without_credentials(f"expected {what}, got {got}; {remedy}")


def without_credentials(text: str) -> str:
    """The text with `***` in place of what stands before the `@` of an address: a log may be read by many.

    >>> without_credentials("no file at https://user:word@example.org/x.csv")
    'no file at https://***@example.org/x.csv'
    """
    return _CREDENTIALS.sub(r"\1***@", text)
