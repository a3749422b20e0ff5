//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    postbook::cli::main()
}
