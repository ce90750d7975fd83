"""The directives of redis.conf: what there is, what each may be, how they are read, changed and written back."""
