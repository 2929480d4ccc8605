//! The binary: hands its arguments over.

fn main() -> std::process::ExitCode {
    countersign::cli::main(std::env::args_os())
}
