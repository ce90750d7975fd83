"""Plays the same commands against the emulator and the real Redis and compares their replies byte for byte.

A program of its own: it talks RESP over sockets and imports nothing of the emulator.
"""
