"""One data set: databases and their keys, expiry, eviction, and what the keys weigh."""
