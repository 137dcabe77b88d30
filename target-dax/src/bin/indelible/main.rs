//! The `indelible` command: stores in plain files, and images of other media.

#[cfg(not(any(unix, windows)))]
compile_error!(
    "the `indelible` command needs Unix or Windows; build the library alone with --no-default-features"
);

mod args;
mod commands;
mod failure;
mod json;
mod output;
mod text;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let reads_only = matches!(
        cli.command,
        Command::Get(_)
            | Command::List(_)
            | Command::Log {
                command: args::Log::Read { .. } | args::Log::Info { .. }
            }
            | Command::Stat(_)
            | Command::Check(_)
            | Command::Inspect(_)
            | Command::Completions { .. }
            | Command::Man { .. }
    );
    match commands::run(cli.command, cli.medium) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough, and nothing else was asked.
        Err(Failure {
            pipe_closed: true, ..
        }) if reads_only => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message {
                output::complain(&message);
            }
            ExitCode::from(failure.code as u8)
        }
    }
}

/// Help and version as clap prints them; what is wrong with the usage in one
/// line.
fn refused(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;

    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // A closed pipe is no reason to fail.
            let _ = error.print();
        }
        _ => {
            let text = error.render().to_string();
            let mut paragraphs = text.split("\n\n");
            let first = paragraphs
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            let what: Vec<&str> = first.split_whitespace().collect();
            let usage = paragraphs.find_map(|text| text.trim_start().strip_prefix("Usage: "));
            let command: Vec<&str> = usage
                .unwrap_or("indelible")
                .split_whitespace()
                .take_while(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
                .collect();
            output::complain(&format!(
                "{}; see `{} --help`",
                what.join(" ").trim_end_matches('.'),
                command.join(" ")
            ));
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
