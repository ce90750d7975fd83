"""What is wrong with data of the format, and with a whole file."""

from __future__ import annotations


class BadData(Exception):
    """Bytes that are not what they should be, or not of the size that they should have."""


class BadFile(Exception):
    """A file that cannot be loaded; the arguments are lines for the log."""
