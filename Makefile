# The two commands: `make run` builds and starts the server, `make test` checks everything.

.PHONY: run build vendor test test-rust test-compat setup fmt

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

fmt:
	cargo fmt
