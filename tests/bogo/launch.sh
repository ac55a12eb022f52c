#!/bin/bash
# What the runner starts for each test: hands its command line to the server that has everything loaded
# (server.py, on the loopback port $GLASSLOCK_BOGO_PORT), and gives back its output and exit status.
# Bash is up in 2 ms, where a Python with glasslock imported takes 100.
exec 3<>"/dev/tcp/127.0.0.1/$GLASSLOCK_BOGO_PORT" || exit 1
printf '%s\0' "$#" "$@" >&3
IFS= read -r -d '' -u 3 status
IFS= read -r -d '' -u 3 output
IFS= read -r -d '' -u 3 errors
printf %s "$output"
printf %s "$errors" >&2
exit "${status:-1}"
