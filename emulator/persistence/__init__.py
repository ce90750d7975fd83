"""Redis's serialised form of values: what RDB files and the payloads of DUMP consist of."""
