#!/bin/sh
# Fuzzes every target of the project, one after the other, for the time given.
set -eu
for file in $(grep -rl '^func Fuzz' --include='*_test.go' pkg internal cmd); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "== $(dirname "$file") $target"
		go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$1"
	done
done
