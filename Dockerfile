# syntax=docker/dockerfile:1
# docker build -t secure-chat .
# docker run -p 5000:5000 -v secure-chat:/data secure-chat

# The page's libraries, by lock file, as `make vendor` does it.
FROM node:20-bookworm-slim AS page
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY scripts/vendor.mjs scripts/
COPY static static
RUN node scripts/vendor.mjs

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
COPY migrations migrations
COPY templates templates
COPY src src
COPY --from=page /src/static static
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin secure-chat && cp target/release/secure-chat /secure-chat

FROM debian:bookworm-slim
RUN groupadd --system --gid 10001 secure-chat \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /data secure-chat \
    && install -d -m 0700 -o secure-chat -g secure-chat /data
COPY --from=build /secure-chat /usr/bin/secure-chat
USER 10001:10001
# Database, key and files. Back it up: without the key nobody can read the messages.
VOLUME /data
WORKDIR /data
ENV HOST=0.0.0.0 PORT=5000
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["secure-chat", "health"]
ENTRYPOINT ["secure-chat"]
