//! Completions and manual pages, from the same definition as the parser.

use std::path::Path;

use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::{Failure, Outcome};
use crate::output::Output;

pub fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "indelible", &mut script);
    print(&script)
}

pub fn man(dir: Option<&Path>) -> Outcome {
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir).map_err(|error| Failure::path(dir, error))?;
        return clap_mangen::generate_to(Cli::command(), dir)
            .map_err(|error| Failure::path(dir, error));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(Failure::output)?;
    print(&page)
}

fn print(bytes: &[u8]) -> Outcome {
    let mut output = Output::new();
    output.bytes(bytes)?;
    output.flush()
}
