"""Values to bytes and back, as DUMP and RDB files have them."""
