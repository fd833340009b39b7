FROM node:16-alpine AS frontend
LABEL maintainer="Status page (https://example.org)"
ARG BUILDPLATFORM
WORKDIR /page
COPY ./frontend/package.json .
COPY ./frontend/yarn.lock .
RUN yarn install --pure-lockfile
COPY ./frontend .
RUN yarn build && yarn cache clean

# The server, which has the pages inside
# Makes "/go/bin/page"
FROM golang:1.20-alpine AS backend
ARG VERSION
ARG COMMIT
ARG TARGETARCH
RUN apk add --no-cache gcc make git \
    ca-certificates && \
    update-ca-certificates

WORKDIR /root
RUN git clone --depth 1 https://example.org/sass.git
RUN . sass/script/bootstrap && make -C sass -j4
# the compiler: /root/sass/bin/sass

WORKDIR /go/src/page
ADD go.mod go.sum ./
RUN go mod download
ENV GO111MODULE on
ENV CGO_ENABLED 1
COPY cmd ./cmd
COPY --from=frontend /page/dist/ ./source/dist/
RUN go build -a -ldflags "-s -X main.VERSION=$VERSION -X main.COMMIT=$COMMIT" -o page --tags "netgo linux" ./cmd
RUN chmod a+x page && mv page /go/bin/page

FROM alpine:latest

RUN apk --no-cache add ca-certificates curl jq && update-ca-certificates

COPY --from=backend /go/bin/page /usr/local/bin/
COPY --from=backend /root/sass/bin/sass /usr/local/bin/

WORKDIR /app
VOLUME /app

ENV SASS=/usr/local/bin/sass
ENV PORT=8080
ENV BASE_PATH=""

EXPOSE $PORT

HEALTHCHECK --interval=60s --timeout=10s --retries=3 CMD if [ -z "$BASE_PATH" ]; then HEALTH="/health"; else HEALTH="/$BASE_PATH/health" ; fi && curl -s "http://localhost:${PORT}$HEALTH" | jq -r -e ".online==true"

CMD page --port $PORT
