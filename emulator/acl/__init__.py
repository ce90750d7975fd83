"""Access control: who may run which commands on which keys and channels.

`selector` has the rules of one set of permissions, `user` a user with its passwords and selectors, `users` the table of
users and their file, `journal` the log of what was refused.  Source: https://redis.io/docs/latest/operate/oss_and_stack/
management/security/acl/
"""
