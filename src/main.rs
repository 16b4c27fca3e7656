//! The program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(umbel::run(std::env::args_os()))
}
