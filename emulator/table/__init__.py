"""What a command is: its function, flags, categories, key specifications and figures."""
