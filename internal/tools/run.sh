#!/bin/sh
# Starts a server for keeps and says what to do next.
set -eu
cat <<'EOT'
The server keeps its store in its state directory; Ctrl-C stops it.
In another terminal, from here:

  export PATH="$PWD/bin:$PATH" ATS_AUTH_URL=http://127.0.0.1:8081
  ats-auth-server user add "$USER"         # asks for a password
  ats-auth token create --username "$USER" --verbose

To have tokens verified, give the client the secret:

  ats-auth-server key show-secret > secret.txt && chmod 600 secret.txt
  ats-auth token create --username "$USER" --secret-file secret.txt -v

EOT
exec ats-auth-server serve
