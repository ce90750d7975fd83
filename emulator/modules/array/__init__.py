"""Arrays of Redis 8.8, by its documentation: imported by the editions that have them."""
