"""Data that outlive the process: files in Redis's formats, written and read in slices."""
