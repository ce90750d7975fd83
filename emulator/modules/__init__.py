"""Modules that a server has from the start, a package for each: its types, its commands and what they read."""
