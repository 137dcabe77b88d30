//! `shell`: commands typed at a prompt, or from a script. The grammar is in the
//! help.

mod line;
mod prompt;
mod session;

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal};

use super::stores::changing;
use crate::args::Shell;
use crate::failure::{Code, Failure, Outcome};
use crate::output::{Output, complain};
use line::Line;
use prompt::{Prompt, Typed};
use session::Session;

pub fn run(args: Shell) -> Outcome {
    changing(&args.store, |store| {
        let session = Session::new(store);
        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            typed(&args, session)
        } else {
            script(session)
        }
    })
}

fn typed(args: &Shell, session: Session<'_>) -> Outcome {
    let session = RefCell::new(session);
    let history = match (&args.history, args.no_history) {
        (_, true) => None,
        (Some(history), _) => Some(history.clone()),
        (None, _) => prompt::default_history(),
    };
    let mut prompt = Prompt::new(&session, &args.store, history)?;
    loop {
        let open = session.borrow().open();
        let line = match prompt.read(open) {
            Ok(Typed::Line(line)) => line,
            Ok(Typed::End) => break,
            Ok(Typed::Interrupted) => {
                complain(&match open {
                    0 => "EXIT or Ctrl-D leaves".to_string(),
                    open => format!(
                        "{} not durable yet; FLUSH commits, and so do EXIT and Ctrl-D",
                        super::count(open, "change is", "changes are")
                    ),
                });
                continue;
            }
            Err(failure) => {
                // What was said to be committed at the end is.
                session.borrow_mut().commit()?;
                return Err(failure);
            }
        };
        match step(&mut session.borrow_mut(), line.as_bytes()) {
            Ok(true) => {}
            Ok(false) => break,
            Err(Failure { message, .. }) => complain(&message.unwrap_or_default()),
        }
    }
    prompt.remember();
    drop(prompt);
    session.into_inner().commit()
}

/// Runs all lines of standard input; the first failure is the exit code.
fn script(mut session: Session<'_>) -> Outcome {
    let mut input = std::io::stdin().lock();
    let mut first: Option<Code> = None;
    let mut fail = |number: u64, failure: Failure| {
        if let Some(message) = failure.message {
            complain(&format!("line {number}: {message}"));
        }
        first.get_or_insert(failure.code);
        failure.pipe_closed
    };
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(Failure::input)? == 0 {
            break;
        }
        number += 1;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.starts_with(b"#") {
            continue;
        }
        match step(&mut session, text) {
            Ok(true) => {}
            Ok(false) => break,
            Err(failure) => {
                // Nobody learns what the rest would say.
                if fail(number, failure) {
                    break;
                }
            }
        }
    }
    if let Err(failure) = session.commit() {
        fail(number, failure);
    }
    first.map_or(Ok(()), |code| Err(Failure::told(code)))
}

/// Runs a line and prints what it says; `false` after EXIT.
fn step(session: &mut Session<'_>, line: &[u8]) -> Outcome<bool> {
    let line = Line::parse(line).map_err(Failure::usage)?;
    let more = line != Line::Exit;
    if let Some(said) = session.run(line)? {
        let mut output = Output::new();
        output.line(said)?;
        output.flush()?;
    }
    Ok(more)
}
