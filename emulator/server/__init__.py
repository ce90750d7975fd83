"""The network server: connections, the driver of an engine in a loop, the options of a process."""
