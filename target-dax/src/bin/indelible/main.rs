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

use clap::{CommandFactory, Parser};

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
            output::complain(&one_line(&text, &named(std::env::args_os().skip(1))));
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What is wrong, what is said to do about it, and where to read on.
fn one_line(text: &str, command: &str) -> String {
    let paragraphs = || text.split("\n\n").map(str::trim);
    let what = paragraphs().next().unwrap_or_default();
    let what = what.trim_start_matches("error: ").trim_end_matches('.');
    let tips = paragraphs().filter_map(|text| text.strip_prefix("tip: "));
    let parts = std::iter::once(what).chain(tips);
    let parts = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let line = parts.collect::<Vec<_>>().join("; ");
    format!("{line}; see `{command} --help`")
}

/// The command that some arguments name, as far as they do.
fn named(args: impl Iterator<Item = std::ffi::OsString>) -> String {
    let mut command = Cli::command();
    // Windows' name has an extension.
    let mut name = format!("indelible{}", std::env::consts::EXE_SUFFIX);
    for arg in args {
        if let Some(inner) = command.find_subcommand(&arg) {
            name = format!("{name} {}", inner.get_name());
            command = inner.clone();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_was_meant_is_named() {
        let named = |text: &str| named(text.split(' ').map(Into::into));
        let name = named("");
        assert_eq!(named("log append s x"), format!("{name} log append"));
        assert_eq!(named("--medium file put s -k v"), format!("{name} put"));
        // A store may be called as a command is.
        assert_eq!(named("get put"), format!("{name} get"));
    }
}
