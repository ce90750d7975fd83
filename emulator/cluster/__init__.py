"""Cluster mode: slots, nodes, the file that keeps them, redirections and the bus."""
