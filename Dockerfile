# The image of docker-compose.yml: signer, gateway, kura (the witness, too) and SoftHSM, nothing else.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build

FROM debian:bookworm-slim AS kura
RUN apt-get update \
 && apt-get install -y --no-install-recommends softhsm2 ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10010 kura-socket \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin kura-migrate \
 && useradd --uid 10002 --gid 10010 --no-create-home --shell /usr/sbin/nologin kura-signer \
 && useradd --uid 10003 --gid 10010 --no-create-home --shell /usr/sbin/nologin kura-gateway \
 && useradd --uid 10004 --user-group --no-create-home --shell /usr/sbin/nologin kura-witness \
 && install -d -o 10004 -g 10004 -m 0700 /var/lib/kura/witness \
 && install -d -o 10002 -g 10010 -m 0700 /var/lib/kura/token /var/lib/kura/signer \
 && install -d -o 10002 -g 10010 -m 0750 /run/kura
COPY --from=build /src/.build/kura-signer /src/.build/kura-gateway /src/.build/kura /usr/local/bin/
