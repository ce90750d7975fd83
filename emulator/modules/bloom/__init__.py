"""Sketches of what was counted, as Redis's module bf has them: Bloom and cuckoo filters, count-min, Top-K, t-digest."""
