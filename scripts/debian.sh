#!/bin/sh
# Make sure of a command: `scripts/debian.sh COMMAND PACKAGE` installs Debian's package where it may, or says how.
set -eu
command -v "$1" > /dev/null && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    printf "The command '%s' is missing.\nhint: sudo apt-get install %s, or the like on your system\n" "$1" "$2" >&2
    exit 1
fi
install="apt-get install -q -y --no-install-recommends $2"
$install || { apt-get update -q && $install; }
