#!/bin/sh
# Cross-compiles the server for one platform into out/<platform>/; see ../push-server/build.sh.
set -eu
export CGO_ENABLED=0 GOOS="$TARGETOS" GOARCH="$TARGETARCH" GOARM="${TARGETVARIANT#v}"
[ "$GOARCH" = arm ] || unset GOARM
go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION:-unknown}" \
  -o "out/$TARGETPLATFORM/status-page" .
echo "compiled for $TARGETPLATFORM"
