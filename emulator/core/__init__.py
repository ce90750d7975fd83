"""The engine, which composes the rest; the way of a command through it; what follows what it does."""
