"""Errors as clients see them, one line that begins with an upper-case code, and the texts that commands share."""

from typing import Final, Self

from emulator.protocol.text import to_bytes, to_text


class _Kept(Exception):
    """An error that is kept for longer than it takes to handle it."""

    def alone(self) -> Self:
        """The same without what led to it: the frames, which it would be tied to in a circle where they still hold it."""
        self.__traceback__ = self.__context__ = None
        return self


class CommandError(_Kept):
    """Raised by a command to answer an error, such as ``CommandError("WRONGTYPE Operation against …")``.

    The text is the reply without the leading ``-``; its first word is the error code, which clients and ``INFO errorstats``
    use.  ``counted`` is true if the statistics already include it, ``refused`` if the command was not called, ``redirects``
    if another node of the cluster has its keys, or none has.
    """

    counted = refused = redirects = False


class ProtocolError(_Kept):
    """Raised if the peer breaks the protocol: it receives ``-ERR Protocol error: …`` and the connection is closed.

    ``unread`` has the bytes that could not be read.
    """

    unread = b""


WRONGTYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX: Final = "ERR syntax error"
LOADING: Final = "LOADING Redis is loading the dataset in memory"
MISCONF: Final = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may "
    "modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
)

NO_REPLICAS: Final = "NOREPLICAS Not enough good replicas to write."
READ_ONLY_REPLICA: Final = "READONLY You can't write against a read only replica."
MASTER_DOWN: Final = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
NOT_INTEGER: Final = "ERR value is not an integer or out of range"
NOT_POSITIVE: Final = "ERR value is out of range, must be positive"
NOT_FLOAT: Final = "ERR value is not a valid float"
NO_SUCH_KEY: Final = "ERR no such key"
OUT_OF_RANGE: Final = "ERR index out of range"


def one_line(error: CommandError) -> bytes:
    """An error as it is told: line breaks, which come from the client's words, become spaces, and vanish at the end."""
    return to_bytes(str(error)).rstrip(b"\r\n").replace(b"\r", b" ").replace(b"\n", b" ")


def as_text(words: bytes) -> str:
    """Return a client's words for an error's text: any bytes are kept up to the first zero byte, where C ends a string."""
    return to_text(words.partition(b"\0")[0])
