# The same words everywhere: what CI runs, and what a person runs.

# What is there.
default:
    @just --list

# Formatting, lints and, where cargo-deny is installed, the dependency rules.
check:
    cargo fmt --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    @if command -v cargo-deny >/dev/null; then cargo deny --locked --workspace check --hide-inclusion-graph bans licenses sources; else echo "cargo-deny is not installed (cargo install cargo-deny --locked): dependency rules not checked"; fi

# All tests, on both engines. Needs PostgreSQL's programs (initdb, postgres), not a running server.
test *ARGS:
    cargo test --workspace --locked {{ ARGS }}

# One table of figures, with what the machine can do beside them.
bench *ARGS:
    cargo build --release --locked --workspace --bin countersign --bin countersign-bench
    "${CARGO_TARGET_DIR:-target}"/release/countersign-bench {{ ARGS }}

# Format the code.
fmt:
    cargo fmt

# Known vulnerabilities in the dependencies. Needs the network and cargo-deny.
advisories:
    cargo deny --workspace check advisories

# The documentation of all crates, with broken links as errors, and the links between our pages.
docs-check:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items
    cargo test --locked -p countersign --test docs

# All proofs in their short form, with one table; `just prove all --for 2h` is the long form, `just prove model` and
# others run one part: see docs/proof.md.
prove *ARGS="all":
    cargo build --release --locked --workspace --bin countersign-prove
    "${CARGO_TARGET_DIR:-target}"/release/countersign-prove {{ ARGS }}

# libFuzzer on every target, so many seconds each, or on one: `just fuzz 60`, `just fuzz 600 jwt`.
fuzz *ARGS:
    fuzz/run {{ ARGS }}
