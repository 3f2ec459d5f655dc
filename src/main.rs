//! The `g-assistant` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    g_assistant::cli::main()
}
