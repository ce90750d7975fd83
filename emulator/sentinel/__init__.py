"""Sentinel: servers that watch a master and its replicas, agree that it is down, and let a replica take its place."""
