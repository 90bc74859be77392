#!/bin/sh
# Stands in for the script that starts a worker's JVM: persistent_worker.sh <name> <MinPort> <MaxPort> <WorkingDir> <JVM options>
test -x "$JAVA_HOME/bin/java" || { echo "no Java in JAVA_HOME=$JAVA_HOME"; exit 7; }
here=$(dirname "$0")
setsid python3 "$here/NIOWorker.py" "$@" < /dev/null > /dev/null 2>&1 &
echo "$(hostname) $(id -u) $("$JAVA_HOME/bin/java" "$5") $(env | grep '^COMPSS_' | sort | tr '\n' ' ')"
