"""The version of this distribution; that of the server it stands for is its edition (`emulator.config.edition`)."""

try:
    from emulator._version import __version__ as __version__
except ImportError:  # a tree that was never installed or built
    __version__ = "0+unknown"
