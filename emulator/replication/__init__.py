"""Replication: a server's replicas, and the master that a server is a replica of.  Nothing here does any I/O."""
