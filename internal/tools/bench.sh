#!/bin/sh
# Runs the benchmarks; each prints its own floor and the ratio to it, measured
# in the same run. BENCH picks some of them, COUNT repeats them. BENCHTIME is how long
# each one runs, STARTS and SERVERS how many clients and servers are started.
set -eu
go test -run '^$' -bench "${BENCH:-.}" -benchtime "${BENCHTIME:-1s}" -count "${COUNT:-1}" -timeout 60m \
	./pkg/verifier/... ./pkg/store/... ./internal/... ./pkg/server/...
go test -run '^$' -bench "${BENCH:-StartUp}" -benchtime "${STARTS:-101x}" -count "${COUNT:-1}" ./cmd/ats-auth
go test -run '^$' -bench "${BENCH:-.}" -benchtime "${SERVERS:-5x}" -count "${COUNT:-1}" ./cmd/ats-auth-server
