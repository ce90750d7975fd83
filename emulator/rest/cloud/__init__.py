"""The management API of Upstash Redis: databases that are made, changed and deleted while the server runs.

Each database is a tenant of the server (`emulator.controls.instances`) with users of its own.  It answers on the REST port by
its tokens and on the RESP port by its password.

- `account` knows who may ask, `service` finds the endpoint, `server` listens.
- An endpoint is a function in `management`, `backups`, `statistics` or `teams` with the decorator of `endpoints`.
- `cloud` has what they work on: `databases`, teams, the audit log.

What the service answers to mistakes is not documented; the errors are worded as its clients expect them.
Source: https://upstash.com/docs/devops/developer-api
"""
