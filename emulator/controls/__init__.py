"""What no real Redis can do: faults, snapshots, recordings, keyspaces beside one another, renewal."""
