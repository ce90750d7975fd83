"""Time series, as Redis's module of that name has them."""
