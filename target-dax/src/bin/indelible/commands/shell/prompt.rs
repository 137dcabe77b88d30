//! The terminal: history and completion.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::line::{NAMES, typed};
use super::session::Session;
use crate::failure::{Failure, Outcome};
use crate::output::complain;

/// Keys that completion shows at most.
const SHOWN_MAX: usize = 100;

/// What was typed.
pub enum Typed {
    Line(String),
    Interrupted,
    End,
}

pub struct Prompt<'p, 's> {
    editor: Editor<Completing<'p, 's>, FileHistory>,
    history: Option<PathBuf>,
    name: String,
}

impl<'p, 's> Prompt<'p, 's> {
    pub fn new(
        session: &'p RefCell<Session<'s>>,
        store: &Path,
        history: Option<PathBuf>,
    ) -> Outcome<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .build();
        let mut editor = Editor::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Completing {
            session,
            files: FilenameCompleter::new(),
        }));
        if let Some(history) = &history {
            // There is none at first.
            let _ = editor.load_history(history);
        }
        let name = store.file_name().unwrap_or(store.as_os_str());
        Ok(Self {
            editor,
            history,
            name: name.to_string_lossy().escape_debug().collect(),
        })
    }

    pub fn read(&mut self, open: u64) -> Outcome<Typed> {
        let prompt = match open {
            0 => format!("{}> ", self.name),
            open => format!("{} ({open} open)> ", self.name),
        };
        match self.editor.readline(&prompt) {
            Ok(line) => {
                // In memory; nothing that could fail.
                let _ = self.editor.add_history_entry(&line);
                Ok(Typed::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupted),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(failed(error)),
        }
    }

    /// Remembers what was typed; the store is not concerned.
    pub fn remember(&mut self) {
        let Some(history) = &self.history else {
            return;
        };
        if let Some(folder) = history.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        if let Err(error) = self.editor.append_history(history) {
            complain(&format!("{}: {error}", history.display()));
        }
    }
}

/// The history of a user who chose none.
pub fn default_history() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = match set("XDG_STATE_HOME") {
        Some(state) => PathBuf::from(state),
        None => Path::new(&set("HOME")?).join(".local/state"),
    };
    Some(state.join("indelible/history"))
}

fn failed(error: ReadlineError) -> Failure {
    match error {
        ReadlineError::Io(error) => Failure::input(error),
        error => Failure::input(std::io::Error::other(error)),
    }
}

/// Completes the commands' names, keys, and files behind SNAP.
struct Completing<'p, 's> {
    session: &'p RefCell<Session<'s>>,
    files: FilenameCompleter,
}

impl Completing<'_, '_> {
    fn keys(&self, prefix: &[u8]) -> Vec<Pair> {
        // Never while a command runs, but nothing to fail for.
        let Ok(session) = self.session.try_borrow() else {
            return Vec::new();
        };
        let store = session.store();
        if !store.completes() {
            return Vec::new();
        }
        // What is damaged is not shown.
        let keys = store.first(prefix, SHOWN_MAX).into_iter();
        keys.map(|key| {
            let text = typed(&key);
            Pair {
                display: text.clone(),
                replacement: text,
            }
        })
        .collect()
    }
}

impl Completer for Completing<'_, '_> {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..pos).unwrap_or(line);
        let begin = before.rfind(' ').map_or(0, |space| space + 1);
        let words: Vec<&str> = before
            .get(..begin)
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let word = before.get(begin..).unwrap_or("");
        let command = words.first().map(|word| word.to_ascii_uppercase());
        Ok(match (command.as_deref(), words.len()) {
            (None, _) => {
                let upper = word.to_ascii_uppercase();
                let names = NAMES.iter().filter(|name| name.starts_with(&upper));
                let pairs = names.map(|name| Pair {
                    display: (*name).to_string(),
                    replacement: format!("{name} "),
                });
                (begin, pairs.collect())
            }
            (Some("GET" | "DEL" | "PUT"), 1) => (begin, self.keys(word.as_bytes())),
            (Some("SNAP"), _) => self.files.complete_path(line, pos)?,
            _ => (begin, Vec::new()),
        })
    }
}

impl Hinter for Completing<'_, '_> {
    type Hint = String;
}

impl Highlighter for Completing<'_, '_> {}

impl Validator for Completing<'_, '_> {}

impl Helper for Completing<'_, '_> {}
