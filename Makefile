# The two commands: `make run` builds and starts the server, `make test` checks everything.

.PHONY: run build vendor test deb fmt

run: build
	./target/release/secure-chat

build: vendor
	cargo build --release --locked

# The page's libraries, from npm by lock file; the release build embeds them.
vendor: static/vendor/.done

static/vendor/.done: package-lock.json scripts/vendor.mjs
	npm ci --no-audit --no-fund --loglevel=error
	node scripts/vendor.mjs
	touch $@

test:
	scripts/test

# A Debian package, in target/debian. Needs: cargo install cargo-deb
deb: build
	cargo deb --no-build

fmt:
	cargo fmt
