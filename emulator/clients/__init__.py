"""What the engine knows of one client: session, waits, subscriptions, caching, buffers and limits."""
