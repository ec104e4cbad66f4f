#!/bin/sh
# init.sh: prepares SoftHSM for one Kura signer. It makes the token directory and
# the configuration file with the permissions they need, and nothing else: the
# token itself, its PIN and its keys are made by `kura-signer token init`.
#
# usage: softhsm/init.sh DIRECTORY [USER]
#
#   DIRECTORY  mode 0700, gets tokens/ (mode 0700) and softhsm2.conf (mode 0600)
#   USER       owns DIRECTORY and both; default: whoever runs this
#
# It can be run again: what is there with the right content stays, a configuration
# with other content is left alone and is an error.
set -eu
umask 077

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	sed -n 's/^# \{0,1\}//; 2,12p' "$0" >&2
	exit 2
fi
case $1 in
/*) directory=$1 ;;
*) directory=$(pwd)/$1 ;;
esac
user=${2:-$(id -un)}
here=$(cd "$(dirname "$0")" && pwd)
module=/usr/lib/softhsm/libsofthsm2.so

case $directory in
*[!A-Za-z0-9/._-]*)
	echo "init.sh: $directory: use letters, digits, / . _ - only: SoftHSM's configuration has no quoting" >&2
	exit 2
	;;
esac
if [ ! -e "$module" ]; then
	echo "init.sh: $module is missing: apt-get install softhsm2" >&2
	exit 1
fi
if ! id "$user" >/dev/null 2>&1; then
	echo "init.sh: there is no user $user" >&2
	exit 1
fi

(umask 022 && mkdir -p "$directory") # those above it must let USER through
mkdir -p "$directory/tokens"
chmod 0700 "$directory" "$directory/tokens"

fresh=$directory/.softhsm2.conf.$$
trap 'rm -f "$fresh"' EXIT
sed "s|@TOKENS@|$directory/tokens|" "$here/softhsm2.conf" >"$fresh"
if [ -e "$directory/softhsm2.conf" ] && ! cmp -s "$fresh" "$directory/softhsm2.conf"; then
	echo "init.sh: $directory/softhsm2.conf is there and says something else; move it away first" >&2
	exit 1
fi
mv "$fresh" "$directory/softhsm2.conf"
chmod 0600 "$directory/softhsm2.conf"
if [ "$(id -u)" -eq 0 ]; then
	chown "$user" "$directory" "$directory/tokens" "$directory/softhsm2.conf"
	if ! runuser -u "$user" -- test -r "$directory/softhsm2.conf"; then
		echo "init.sh: $user cannot reach $directory: a directory above it is closed" >&2
		exit 1
	fi
fi

cat <<END
SoftHSM is prepared in $directory for user $user. In the signer's configuration:

  [token]
  module = "$module"
  softhsm_conf = "$directory/softhsm2.conf"
  accept_leaky_token = "…"   # the reason why this is good enough: softhsm/README.md

Then: kura-signer token init
END
