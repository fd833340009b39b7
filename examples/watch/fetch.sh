#!/bin/sh
# Puts manyfest, and the wheels that a watch needs, as built for one platform, into lib/<platform>/.
# manyfest runs this before the build, once for each platform. MANYFEST may name a wheel of it,
# and PYTHON the version in the base.
set -eu
case "$TARGETPLATFORM" in
  linux/amd64) tag=x86_64 ;;
  linux/arm64) tag=aarch64 ;;
  *) echo "there are no wheels for $TARGETPLATFORM"; exit 1 ;;
esac
folder="lib/$TARGETPLATFORM"
rm -rf "$folder"
mkdir -p out/data  # where the history will be
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --no-compile --only-binary=:all: --retries 1 --timeout 30 \
  --platform "manylinux_2_28_$tag" --platform "manylinux_2_17_$tag" --platform "manylinux2014_$tag" \
  --python-version "${PYTHON:-3.13}" --implementation cp --target "$folder" \
  "manyfest[watch,postgresql]${MANYFEST:+ @ file://$MANYFEST}"
rm -rf "$folder/bin"
echo "fetched the wheels for $TARGETPLATFORM"
