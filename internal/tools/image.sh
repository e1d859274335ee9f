#!/bin/sh
# Builds the server's container image with the first engine that answers.
# API_NAME names it, ENGINE picks an engine, BUILD_FLAGS go to its build.
set -eu
name=${API_NAME:-tokens}
case $name in
*[!a-z0-9-]* | -* | *-)
	echo "API_NAME=$name cannot name an image: lower-case letters, digits and hyphens can" >&2
	exit 2
	;;
esac

# Says why there is no image, and how the service runs without one.
without() {
	echo "$1"
	cat <<'EOT'
hint: the same service runs without one:

  make build
  export ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:5001
  export ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=127.0.0.1:5002
  export ATS_AUTH_SERVER_SERVER_DIALECTS=tapis
  export ATS_AUTH_SERVER_TENANT_DEV_OPEN_MINTING=true
  ./bin/ats-auth-server tenant add dev --if-not-exists --issuer https://dev.api.tapis.io/tokens/v3 --base-url http://localhost:5001 --api-version dev
  ./bin/ats-auth-server
EOT
}

silent=
for engine in ${ENGINE:-docker podman nerdctl buildah}; do
	command -v "$engine" >/dev/null || continue
	# Its command may be there where its service is not.
	if "$engine" info >/dev/null 2>&1; then
		code=0
		# shellcheck disable=SC2086 # flags are words
		"$engine" build -f Containerfile -t "ats-auth/$name" ${BUILD_FLAGS:-} . || code=$?
		if [ $code != 0 ]; then
			without "ats-auth/$name is not built: $engine ended with exit code $code" >&2
			exit $code
		fi
		echo "ats-auth/$name is built, by $engine"
		exit 0
	fi
	silent="$silent $engine"
done
without "no container engine: one of ${ENGINE:-docker, podman, nerdctl, buildah} is needed${silent:+; without an answer:$silent}" >&2
exit 1
