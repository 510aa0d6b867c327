# syntax=docker/dockerfile:1
# hone alone: one static binary, certificates, nothing else. It runs as a user
# without rights and needs only /data to be writable.

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=dev TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/hone ./cmd/hone \
    && mkdir -p /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/hone /hone
# A new volume takes the owner of the directory it covers.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV HONE_DATA_DIR=/data
VOLUME /data
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/hone", "healthcheck"]
ENTRYPOINT ["/hone"]
CMD ["serve"]
