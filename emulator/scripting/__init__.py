"""Lua scripts and functions: the sandbox, what it may call, the caches of scripts and libraries."""
