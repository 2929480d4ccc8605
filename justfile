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
    cargo run --release --locked -p countersign-bench -- {{ ARGS }}

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

# The proofs, each with a report: see docs/proof.md. `just prove model`, `just prove simulate --help`.
prove *ARGS:
    cargo run --release --locked -p countersign-prove -- {{ ARGS }}
