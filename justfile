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

# All proofs in their short form, with one table; `just prove all --for 2h` is the long form, `just prove model` and
# others run one part: see docs/proof.md.
prove *ARGS="all":
    cargo run --release --locked -p countersign-prove -- {{ ARGS }}

# libFuzzer on every target, so many seconds each, or on one: `just fuzz 60`, `just fuzz 600 jwt`. What it finds stays
# in fuzz/artifacts: put the file into the target's corpus with the fix. Needs a C++ compiler; for a scheduled job.
fuzz SECONDS="60" TARGET="":
    #!/usr/bin/env bash
    set -euo pipefail
    cd fuzz
    # What cargo-fuzz does with a nightly toolchain, with the flags that a stable one has; no address sanitizer, which
    # the code has little use for: it has no `unsafe`.
    export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions=yes"
    host=$(rustc -vV | sed -n 's/^host: //p')
    cargo build --release --locked --target "$host"
    for corpus in corpus/*; do
        target=$(basename "$corpus")
        [ -z "{{ TARGET }}" ] || [ "$target" = "{{ TARGET }}" ] || continue
        mkdir -p "artifacts/$target" "target/corpus/$target"
        # New inputs go to the first directory, so that the repository's seeds stay as they are.
        "target/$host/release/$target" -max_total_time={{ SECONDS }} -timeout=10 -rss_limit_mb=2048 \
            -artifact_prefix="artifacts/$target/" "target/corpus/$target" "$corpus"
    done
