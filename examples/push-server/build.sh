#!/bin/sh
# Cross-compiles the server for one platform into out/<platform>/. manyfest runs this before the
# build, once for each platform, with TARGETOS, TARGETARCH, TARGETVARIANT, VERSION and REVISION in
# the environment. The same source gives the same bytes in any folder and on any machine.
set -eu
export CGO_ENABLED=0 GOOS="$TARGETOS" GOARCH="$TARGETARCH" GOARM="${TARGETVARIANT#v}"
[ "$GOARCH" = arm ] || unset GOARM
go build -trimpath -buildvcs=false \
  -ldflags "-s -w -buildid= -X main.version=${VERSION:-unknown} -X main.revision=${REVISION:-unknown}" \
  -o "out/$TARGETPLATFORM/push-server" .
echo "compiled for $TARGETPLATFORM"
