//! One module for each kind of command.

mod backup;
mod batch;
mod bench;
mod check;
mod create;
mod export;
mod folders;
mod grow;
mod import;
mod inspect;
mod keys;
mod kv;
mod log;
mod pages;
mod shell;
mod stat;
mod stores;
mod walk;

use std::sync::OnceLock;

use indelible_dax::MediumChoice;

use crate::args::{Command, Medium};
use crate::failure::Outcome;

/// What the command line chose for the store, of which there is one.
static CHOICE: OnceLock<MediumChoice> = OnceLock::new();

fn choice() -> MediumChoice {
    *CHOICE.get_or_init(MediumChoice::default)
}

pub fn run(command: Command, medium: Option<Medium>) -> Outcome {
    let dax = matches!(&command, Command::Create(create) if create.dax);
    CHOICE.get_or_init(|| match medium {
        _ if dax => MediumChoice::Dax,
        Some(Medium::File) => MediumChoice::File,
        Some(Medium::Dax) => MediumChoice::Dax,
        #[cfg(windows)]
        Some(Medium::View) => MediumChoice::View,
        Some(Medium::Auto) | None => MediumChoice::Auto,
    });
    match command {
        Command::Create(args) => create::run(args),
        Command::Put(args) => kv::put(args),
        Command::Get(args) => kv::get(args),
        Command::Del(args) => kv::del(args),
        Command::List(args) => kv::list(args),
        Command::Batch(args) => batch::run(args),
        Command::Log { command } => log::run(command),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Stat(args) => stat::run(args),
        Command::Check(args) => check::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Backup(args) => backup::backup(args),
        Command::Restore(args) => backup::restore(args),
        Command::Grow(args) => grow::run(args),
        Command::Shell(args) => shell::run(args),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man { dir } => pages::man(dir.as_deref()),
    }
}

/// A number with what it counts.
fn count(number: u64, one: &str, many: &str) -> String {
    let what = if number == 1 { one } else { many };
    format!("{number} {what}")
}
