#!/bin/sh
# Starts a server for keeps and, once it serves, says what to do next.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ats-auth-server serve 2>"$log" &
server=$!
trap 'kill "$server" 2>/dev/null' INT TERM HUP
url=
until [ -n "$url" ]; do
	url=$(sed -n 's/.*"msg":"serving","url":"\([^"]*\)".*/\1/p' "$log")
	if ! kill -0 "$server" 2>/dev/null; then
		cat "$log" >&2
		echo 'hint: ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:PORT and ..._ADMIN_LISTEN choose other ports' >&2
		exit 1
	fi
	sleep 0.1
done
cat <<EOT
A server serves at $url until Ctrl-C; what it keeps, it keeps.
In another terminal, from here, with the same ATS_AUTH_SERVER_... settings if you have any:

  export PATH="\$PWD/bin:\$PATH" ATS_AUTH_URL=$url
  ats-auth-server user add marco           # asks for a password
  ats-auth token create --username marco --verbose

To have tokens verified, give the client the secret:

  (umask 077; ats-auth-server key show-secret > secret.txt)
  ats-auth token create --username marco --secret-file secret.txt --verbose

EOT
tail -n +1 -f "$log" >&2 &
tail=$!
wait "$server" || true
kill "$tail" 2>/dev/null || true
