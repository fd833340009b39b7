"""Every error manyfest raises, in one tree.

::

    ManyfestError                   exit 1
    ├── UsageError                  exit 2   the command line or a configuration is wrong
    │   ├── InvalidReference                 a reference does not parse
    │   ├── InvalidPlatform                  a platform does not parse
    │   ├── ConfigError                      manyfest.yaml or another file of settings
    │   └── DockerfileError                  a Dockerfile, with file and line
    │       └── MissingSource                what COPY or ADD names is not there
    ├── ContentError                         bytes are not what they should be
    │   ├── InvalidDigest                    a digest does not parse
    │   ├── InvalidManifest                  a manifest, index or configuration
    │   ├── InvalidArchive                   an archive or layout is damaged
    │   └── DigestMismatch                   content has another digest or size
    ├── NotFound                             no such tag, manifest, blob or file
    ├── StoreError                           a store could not do what was asked
    │   ├── Unsupported                      it has no such operation
    │   ├── ConnectionFailed                 no answer, or an answer that broke off
    │   └── RegistryError                    the registry answered with an error
    │       ├── AccessDenied                 401 or 403
    │       ├── RateLimited                  429
    │       └── PartsMissing                 a manifest that points at what is not there
    ├── BuildError                           an image could not be built
    │   └── NeedsBuilder                     RUN, where programs are not run
    ├── CheckFailed                          an image does not hold what it must
    ├── ReleaseError                         a release could not go on
    ├── HistoryError                         the history of a watch cannot be used
    │   ├── HistoryAway                      not now, but it may be later
    │   └── HistoryInUse                     another process has it
    └── AnswerIsNo                  exit 3   the question was answered: no

An error reads as one line: where, what and why, how to mend it. Where a file
is wrong, ``excerpt`` shows its lines too. The command line prints these and
exits with ``exit_code``; the library raises and never exits the process.
"""

from __future__ import annotations


class ManyfestError(Exception):
    """The root. ``what`` says what is wrong and why, ``where`` names the file and line, the
    reference or the registry, and ``mend`` says what the user can do. ``excerpt`` is empty, or
    the lines of a file that are wrong, with a caret under the fault."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "", excerpt: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend
        self.excerpt = excerpt

    def __str__(self) -> str:
        somewhere = self.where and self.where != "."  # that is where one stands
        line = f"{self.where}: {self.what}" if somewhere else self.what
        return f"{line}; {self.mend}" if self.mend else line


class UsageError(ManyfestError):
    """The command line or a configuration is wrong; nothing was started."""

    exit_code = 2


class InvalidReference(UsageError):
    """A reference does not parse."""


class InvalidPlatform(UsageError):
    """A platform does not parse."""


class ConfigError(UsageError):
    """A file of settings is missing, does not parse, or has an unknown key."""


class DockerfileError(UsageError):
    """A Dockerfile is wrong; ``where`` is ``FILE:LINE``. ``word`` is the one that is at fault, as
    the file has it, or empty: then the whole instruction is."""

    def __init__(
        self, what: str, *, where: str = "", mend: str = "", excerpt: str = "", word: str = ""
    ) -> None:
        super().__init__(what, where=where, mend=mend, excerpt=excerpt)
        self.word = word


class MissingSource(DockerfileError):
    """What COPY or ADD names is not there."""


class ContentError(ManyfestError):
    """Bytes are not what their name or their type says."""


class InvalidDigest(ContentError):
    """A digest does not parse, or its algorithm is unknown."""


class InvalidManifest(ContentError):
    """A manifest, index or configuration breaks its specification."""


class InvalidArchive(ContentError):
    """An archive or a layout on disk is damaged or truncated."""


class DigestMismatch(ContentError):
    """Content does not have the digest or the size that its descriptor promises."""


class NotFound(ManyfestError):
    """The store was asked and says: there is no such tag, manifest or blob."""


class StoreError(ManyfestError):
    """A store could not do what was asked."""


class Unsupported(StoreError):
    """The store has no such operation, whatever it is asked about."""


class ConnectionFailed(StoreError):
    """No answer came, or it broke off."""


class RegistryError(StoreError):
    """The registry answered with an error.

    ``status`` is the HTTP status, ``code`` the registry's own error code (OCI distribution
    specification, "Error Codes") or the empty string.
    """

    def __init__(
        self, what: str, *, where: str = "", mend: str = "", status: int = 0, code: str = ""
    ) -> None:
        super().__init__(what, where=where, mend=mend)
        self.status = status
        self.code = code


class AccessDenied(RegistryError):
    """401 or 403: no credentials, wrong ones, or no right to do this."""


class RateLimited(RegistryError):
    """429, and it did not pass within the time allowed for retries."""


class PartsMissing(RegistryError):
    """The registry refuses a manifest, as it does not have what that points at.

    ``digests`` are the missing parts, as far as the registry names them.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        mend: str = "",
        status: int = 0,
        code: str = "",
        digests: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, where=where, mend=mend, status=status, code=code)
        self.digests = digests


class BuildError(ManyfestError):
    """An image could not be built."""


class NeedsBuilder(BuildError):
    """There is a RUN to carry out, and the native builder runs no programs."""


class CheckFailed(ManyfestError):
    """An image does not hold what it must; ``what`` names the first fault and how many more."""


class ReleaseError(ManyfestError):
    """A release could not go on; the message says what stands where."""


class HistoryError(ManyfestError):
    """The history of a watch cannot be opened, read or written."""


class HistoryAway(HistoryError):
    """The database does not answer or takes nothing at present. Nothing was written, or nobody
    knows: the same may be tried again."""


class HistoryInUse(HistoryError):
    """Another process has the history open."""


class AnswerIsNo(ManyfestError):
    """A question was answered, and the answer is no: not ready, not verified, different."""

    exit_code = 3
