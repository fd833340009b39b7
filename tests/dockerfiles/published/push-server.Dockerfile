# syntax=docker/dockerfile:1
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
# Whoever builds must say which
ARG TOOLCHAIN=unset
ARG SUITE=sid-slim

# A tag cannot hold a slash, and the toolchain's tags write arm-7
ARG __DASHED=${TARGETPLATFORM/\//-}
ARG __TOOLCHAIN_TAG=${__DASHED/arm\/v7/arm-7}

# --- the pages ---

FROM --platform=${BUILDPLATFORM} node:22 AS Web

ARG WITH_PAGES=0

COPY ./ui /src/ui

RUN if [ "$WITH_PAGES" = "1" ]; then \
    (cd /src/ui && yarn install) && \
    # caches are not wanted here
    (cd /src/ui && yarn build) \

    else \
    mkdir -p /src/ui/build; \
    fi

# --- the server ---

FROM --platform=${BUILDPLATFORM} example/toolchain:${TOOLCHAIN}-${__TOOLCHAIN_TAG} AS compile

ARG BUILDPLATFORM
ARG TARGETPLATFORM
ARG RUN_TESTS=0 # 1=native only
ARG LD_FLAGS=""
ENV DEBIAN_FRONTEND=noninteractive

COPY . /src
COPY --from=web /src/ui/build /src/ui/build

RUN cd /src && \
    if [ "$RUN_TESTS" = "1" ] && [ "$BUILDPLATFORM" = "$TARGETPLATFORM" ]; then \
    make test; \
    fi && \
    LD_FLAGS=${LD_FLAGS} make OUTPUT=/target/app/server

FROM debian:${SUITE}

LABEL org.opencontainers.image.documentation=https://example.org/docs
LABEL org.opencontainers.image.source=https://example.org/source

ARG LISTEN=80
ENV SERVER_PORT=$LISTEN

WORKDIR /app

HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \
    CMD curl --fail http://localhost:$SERVER_PORT/health || exit 1
EXPOSE $LISTEN

COPY --from=compile --chmod=755 /target /

ENTRYPOINT ["./server"]
CMD ["serve"]
