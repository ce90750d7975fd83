"""RESP2 and RESP3 without I/O: a request parser, a reply encoder, the reply types and the errors."""
