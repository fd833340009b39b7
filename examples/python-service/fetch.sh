#!/bin/sh
# Puts the wheels that the service needs, as built for one platform, into lib/<platform>/. manyfest
# runs this before the build, once for each platform. What is there already is not fetched again.
set -eu
case "$TARGETPLATFORM" in
  linux/amd64) tag=manylinux_2_28_x86_64 ;;
  linux/arm64) tag=manylinux_2_28_aarch64 ;;
  *) echo "there are no wheels for $TARGETPLATFORM"; exit 1 ;;
esac
folder="lib/$TARGETPLATFORM"
if cmp -s requirements.txt "$folder/requirements.txt"; then
  echo "the wheels are there already"
  exit
fi
rm -rf "$folder"
# abi3 wheels are for any Python from the one they name on.
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --no-deps --no-compile --only-binary=:all: --require-hashes --retries 1 --timeout 15 \
  --platform "$tag" --python-version 3.11 --implementation cp --abi abi3 \
  --target "$folder" -r requirements.txt
cp requirements.txt "$folder/"
echo "fetched the wheels"
