//! `batch`: transactions from standard input. The grammar is in the help.

use std::io::BufRead;

use super::keys::{Change, Keys};
use super::stores::changing;
use crate::args::Batch;
use crate::failure::{Code, Failure, Outcome};
use crate::output::Output;
use crate::text::unescaped;

/// One line of a transaction.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Put(Vec<u8>, Vec<u8>),
    Del(Vec<u8>),
    Append(usize, Vec<u8>),
    Trim(usize, u64),
    Push(Vec<u8>, Vec<u8>),
    Set(Vec<u8>, u64, Vec<u8>),
    Drop(Vec<u8>, u64),
}

pub fn run(args: Batch) -> Outcome {
    changing(&args.store, |store| {
        let mut output = Output::new();
        let mut group = Vec::new();
        let mut line = Vec::new();
        let mut number = 0;
        let mut input = std::io::stdin().lock();
        loop {
            line.clear();
            let more = input.read_until(b'\n', &mut line).map_err(Failure::input)? > 0;
            number += u64::from(more);
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.is_empty() {
                if let Some(last) = transact(store, &mut group)?
                    && args.ack
                {
                    output.line(last)?;
                    output.flush()?;
                }
                if !more {
                    return Ok(());
                }
            } else if text[0] != b'#' {
                let step = parse(text).map_err(|message| {
                    Failure::usage(format_args!(
                        "line {number}: {message}; this transaction is not done, all before it are"
                    ))
                })?;
                group.push((number, step));
            }
        }
    })
}

/// Does all steps or none; returns the last one's line, if there is any.
fn transact(store: &mut dyn Keys, group: &mut Vec<(u64, Step)>) -> Outcome<Option<u64>> {
    let Some((first, last)) = ends(group) else {
        return Ok(None);
    };
    for (number, step) in group.drain(..) {
        if let Err(error) = store.stage(step.change()) {
            // What is not committed is not done.
            store.abort();
            return Err(failed(format_args!("line {number}"), error.into()));
        }
    }
    store.commit().map_err(|error| {
        let failure = Failure::from(error);
        match first == last {
            true => failed(format_args!("line {last}"), failure),
            false => failed(format_args!("lines {first} to {last}"), failure),
        }
    })?;
    Ok(Some(last))
}

fn ends(group: &[(u64, Step)]) -> Option<(u64, u64)> {
    Some((group.first()?.0, group.last()?.0))
}

impl Step {
    fn change(&self) -> Change<'_> {
        match self {
            Step::Put(key, value) => Change::Put(key, value),
            Step::Del(key) => Change::Delete(key),
            Step::Append(log, bytes) => Change::Append(*log, bytes),
            Step::Trim(log, position) => Change::Trim(*log, *position),
            Step::Push(key, element) => Change::ListAppend(key, element),
            Step::Set(key, index, element) => Change::ListUpdate(key, *index, element),
            Step::Drop(key, count) => Change::ListTrim(key, *count),
        }
    }
}

fn failed(place: impl std::fmt::Display, failure: Failure) -> Failure {
    let sure = if failure.code == Code::Io {
        "may not be"
    } else {
        "is not"
    };
    let message = failure.message.unwrap_or_default();
    Failure::new(
        failure.code,
        format_args!("{place}: {message}; this transaction {sure} done, all before it are"),
    )
}

fn parse(line: &[u8]) -> Result<Step, String> {
    let (name, rest) = word(line);
    let missing = |what: &str| format!("`{}` {what}", String::from_utf8_lossy(name));
    // All but the last operand need a space behind them.
    let first = |what| match rest.iter().position(|byte| *byte == b' ') {
        Some(at) => Ok((&rest[..at], &rest[at + 1..])),
        None => Err(missing(what)),
    };
    match name {
        b"put" => {
            let (key, value) = key_and_rest(rest);
            Ok(Step::Put(unescaped(key)?, unescaped(value)?))
        }
        b"del" => Ok(Step::Del(unescaped(rest)?)),
        b"append" => {
            let (log, bytes) = word(rest);
            Ok(Step::Append(number(log, "a log")?, unescaped(bytes)?))
        }
        b"trim" => {
            let (log, position) = first("takes a log and a position")?;
            Ok(Step::Trim(
                number(log, "a log")?,
                number(position, "a position")?,
            ))
        }
        b"push" => {
            let (key, element) = key_and_rest(rest);
            Ok(Step::Push(unescaped(key)?, unescaped(element)?))
        }
        b"set" => {
            let (key, rest) = first("takes a key, an index and an element")?;
            let (index, element) = word(rest);
            Ok(Step::Set(
                unescaped(key)?,
                number(index, "an index")?,
                unescaped(element)?,
            ))
        }
        b"drop" => {
            let (key, count) = first("takes a key and a count")?;
            Ok(Step::Drop(unescaped(key)?, number(count, "a count")?))
        }
        _ => Err(missing(
            "is no operation: use put, del, append, trim, push, set or drop",
        )),
    }
}

/// A word, and what is behind the one space after it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

fn key_and_rest(rest: &[u8]) -> (&[u8], &[u8]) {
    word(rest)
}

fn number<T: std::str::FromStr>(word: &[u8], what: &str) -> Result<T, String> {
    let text = String::from_utf8_lossy(word);
    text.parse()
        .map_err(|_| format!("`{text}` is not the number of {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Step {
        parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn the_last_operand_takes_the_rest_of_the_line() {
        assert_eq!(
            parsed("put k a value"),
            Step::Put(b"k".into(), b"a value".into())
        );
        assert_eq!(parsed("put k  two"), Step::Put(b"k".into(), b" two".into()));
        assert_eq!(parsed("put k"), Step::Put(b"k".into(), b"".into()));
        assert_eq!(
            parsed("put a\\sb c\\n"),
            Step::Put(b"a b".into(), b"c\n".into())
        );
        assert_eq!(parsed("del a key"), Step::Del(b"a key".into()));
        assert_eq!(parsed("append 3 x y"), Step::Append(3, b"x y".into()));
        assert_eq!(parsed("trim 3 40"), Step::Trim(3, 40));
        assert_eq!(parsed("push k e 1"), Step::Push(b"k".into(), b"e 1".into()));
        assert_eq!(
            parsed("set k 0 e 1"),
            Step::Set(b"k".into(), 0, b"e 1".into())
        );
        assert_eq!(parsed("drop k 2"), Step::Drop(b"k".into(), 2));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for wrong in [
            "pet k v",
            "trim 1",
            "trim x 1",
            "set k",
            "drop k x",
            "append x y",
            "put \\q",
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
