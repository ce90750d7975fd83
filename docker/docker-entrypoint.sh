#!/bin/sh
# The official image's rules: a first argument that begins with - or ends in .conf is for redis-server, other commands are run.
set -e

if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
	set -- redis-server "$@"
fi

if [ "$1" = redis-server ]; then
	shift
	# A configuration file has to stay the first argument.
	if [ "${1%.conf}" != "$1" ]; then
		file=$1
		shift
		exec python -m emulator "$file" --bind '* -::*' --rest-bind '* -::*' --cloud-bind '* -::*' --protected-mode no "$@"
	fi
	exec python -m emulator --bind '* -::*' --rest-bind '* -::*' --cloud-bind '* -::*' --protected-mode no "$@"
fi

exec "$@"
