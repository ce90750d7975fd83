"""What a program or a test holds of a Redis: servers in threads, engines in process, handles, clients of redis-py."""
