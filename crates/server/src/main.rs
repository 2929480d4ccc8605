//! The binary: hands its arguments over.

/// Answers are made on one thread from what another allocated, where the system's allocator takes
/// locks: a tenth of a refresh.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    countersign::cli::main(std::env::args_os())
}
