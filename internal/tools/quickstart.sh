#!/bin/sh
# The whole life of a token, on a server of its own: each command as a person
# would type it. Everything is in a temporary directory, which is removed.
set -eu

dir=$(mktemp -d)
server=
finish() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		(sleep 15; kill -9 "$server" 2>/dev/null) &
		wait "$server" 2>/dev/null || true
		kill $! 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM
cd "$dir"

# Nothing of the person's own settings reaches this server, or the other way round.
for name in $(env | sed -n 's/^\(ATS_AUTH_[A-Z0-9_]*\|OS_[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done
export XDG_CONFIG_HOME="$dir/config" XDG_STATE_HOME="$dir/state"
export ATS_AUTH_SERVER_STORE_URL="sqlite:$dir/store.db"
export ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:0 ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=off

say() { printf '\n# %s\n' "$*"; }
run() {
	printf '$ %s\n' "$*"
	eval "$*"
}
refused() {
	printf '$ %s\n' "$*"
	if eval "$*"; then
		echo "this should have been refused" >&2
		exit 1
	fi
}

say 'A server on a free port, with a store of its own, and a user.'
printf '$ ats-auth-server &\n'
: >server.log
ats-auth-server 2>server.log &
server=$!
url=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50; do
	url=$(sed -n 's/.*"msg":"serving","url":"\([^"]*\)".*/\1/p' server.log)
	[ -z "$url" ] || break
	kill -0 "$server" 2>/dev/null || break
	sleep 0.1
done
[ -n "$url" ] || { cat server.log >&2; exit 1; }
run 'umask 077'
run 'ats-auth-server user add marco --generate > password.txt'
run "export ATS_AUTH_URL=$url ATS_AUTH_USERNAME=marco ATS_AUTH_PASSWORD_FILE=$dir/password.txt"

say 'A token for marco. Without the secret nobody has verified what it says.'
run 'ats-auth token create --verbose'

say 'With the secret it is verified before it is printed.'
run 'ats-auth-server key show-secret > secret.txt'
run 'export ATS_AUTH_JWT_SECRET_FILE=$PWD/secret.txt'
run 'TOKEN=$(ats-auth token create --verbose)'
run 'ats-auth token verify "$TOKEN"'
run 'ats-auth token check "$TOKEN" && echo honoured'

say 'Revoked, it is refused from the same moment on.'
run 'ats-auth token revoke "$TOKEN"'
refused 'ats-auth token check "$TOKEN"'
say "That was all of it. \`make run\` starts a server for keeps."
