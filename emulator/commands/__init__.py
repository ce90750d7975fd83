"""The commands, one module for each of Redis's groups; `table` brings them together."""
