"""The values: pure data structures that know nothing of Redis's protocol."""
