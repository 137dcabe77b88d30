//! What a line of the shell says.

use std::path::PathBuf;

use crate::text::{escaped, unescaped};

/// The commands' names, as completion shows them.
pub const NAMES: [&str; 10] = [
    "BENCH", "DEL", "EXIT", "FLUSH", "GET", "HELP", "PUT", "SETBATCH", "SIZE", "SNAP",
];

pub const HELP: &str = "\
PUT KEY VALUE    create or replace a value
GET KEY          print a value
DEL KEY          delete a key
SIZE             keys and space
SNAP FILE        commit, then copy the store to a new file
FLUSH            commit what SETBATCH holds back
SETBATCH N       commit after each N changes
BENCH N          measure N puts and gets
EXIT             commit and leave (Ctrl-D)
A value is the rest of the line. \"...\" quotes, with the escapes \\\" \\\\ \\n \\t \\r \\0 \\xHH.";

#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Nothing,
    Put(Vec<u8>, Vec<u8>),
    Get(Vec<u8>),
    Del(Vec<u8>),
    Size,
    Snap(PathBuf),
    Flush,
    SetBatch(u64),
    Bench(u64),
    Help,
    Exit,
}

impl Line {
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let (name, rest) = split(line.trim_ascii_start());
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        match name.as_str() {
            "" => Ok(Line::Nothing),
            "PUT" => {
                let (key, rest) = word(rest, "PUT KEY VALUE")?;
                Ok(Line::Put(key, value(rest)?))
            }
            "GET" => Ok(Line::Get(only(rest, "GET KEY")?)),
            "DEL" => Ok(Line::Del(only(rest, "DEL KEY")?)),
            "SNAP" => {
                // A path is the rest of the line too.
                let named = value(rest.trim_ascii())?;
                match named.is_empty() {
                    true => Err(usage("SNAP FILE")),
                    false => path(&named).map(Line::Snap),
                }
            }
            "SETBATCH" => Ok(Line::SetBatch(number(rest, "SETBATCH N")?)),
            "BENCH" => Ok(Line::Bench(number(rest, "BENCH N")?)),
            "SIZE" => nothing(rest, "SIZE").map(|()| Line::Size),
            "FLUSH" => nothing(rest, "FLUSH").map(|()| Line::Flush),
            "HELP" => nothing(rest, "HELP").map(|()| Line::Help),
            "EXIT" => nothing(rest, "EXIT").map(|()| Line::Exit),
            _ => Err(format!(
                "`{}` is no command; HELP lists them",
                escaped(name.as_bytes())
            )),
        }
    }
}

/// A key as it is typed, in quotes where it has to be.
pub fn typed(key: &[u8]) -> String {
    let text = escaped(key);
    let plain = !text.is_empty() && text.as_bytes() == key && !text.contains([' ', '"']);
    match plain {
        true => text,
        false => format!("\"{}\"", text.replace('"', "\\\"")),
    }
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> Result<PathBuf, String> {
    Ok(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> Result<PathBuf, String> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(_) => Err("the path is no valid text".to_string()),
    }
}

fn usage(usage: &str) -> String {
    format!("write {usage}")
}

/// Up to the first space, and what comes behind it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| matches!(byte, b' ' | b'\t')) {
        Some(space) => (&line[..space], &line[space + 1..]),
        None => (line, &[]),
    }
}

fn word<'l>(rest: &'l [u8], how: &str) -> Result<(Vec<u8>, &'l [u8]), String> {
    let rest = rest.trim_ascii_start();
    let (word, rest) = match rest.first() {
        None => return Err(usage(how)),
        Some(b'"') => {
            let (word, rest) = quoted(rest)?;
            match rest.first() {
                None | Some(b' ' | b'\t') => (word, rest.get(1..).unwrap_or_default()),
                Some(_) => return Err("a space has to follow the closing quote".to_string()),
            }
        }
        Some(_) => {
            let (word, rest) = split(rest);
            (word.to_vec(), rest)
        }
    };
    match word.is_empty() {
        true => Err("a key has at least one byte".to_string()),
        false => Ok((word, rest)),
    }
}

/// The rest of a line, as it is or quoted.
fn value(rest: &[u8]) -> Result<Vec<u8>, String> {
    if !rest.trim_ascii_start().starts_with(b"\"") {
        return Ok(rest.to_vec());
    }
    let (value, rest) = quoted(rest.trim_ascii_start())?;
    match rest.trim_ascii().is_empty() {
        true => Ok(value),
        false => Err("nothing may follow the closing quote; write \\\" for a quote".to_string()),
    }
}

/// What is in quotes at the start of `text`, and what comes behind them.
fn quoted(text: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    let mut inside = Vec::new();
    let mut at = 1;
    loop {
        match (text.get(at), text.get(at + 1)) {
            (Some(b'"'), _) => return Ok((unescaped(&inside)?, &text[at + 1..])),
            (Some(b'\\'), Some(b'"')) => {
                inside.push(b'"');
                at += 2;
            }
            (Some(b'\\'), Some(next)) => {
                inside.extend_from_slice(&[b'\\', *next]);
                at += 2;
            }
            (Some(byte), _) => {
                inside.push(*byte);
                at += 1;
            }
            (None, _) => return Err("the closing quote is missing".to_string()),
        }
    }
}

fn only(rest: &[u8], how: &str) -> Result<Vec<u8>, String> {
    let (word, rest) = word(rest, how)?;
    nothing(rest, how).map(|()| word)
}

fn nothing(rest: &[u8], how: &str) -> Result<(), String> {
    match rest.trim_ascii().is_empty() {
        true => Ok(()),
        false => Err(format!("{}; quote what has spaces", usage(how))),
    }
}

fn number(rest: &[u8], how: &str) -> Result<u64, String> {
    let number = str::from_utf8(rest.trim_ascii())
        .ok()
        .and_then(|text| text.parse().ok());
    match number {
        Some(number) if number > 0 => Ok(number),
        _ => Err(format!("{}, with a number from 1", usage(how))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &[u8], value: &[u8]) -> Result<Line, String> {
        Ok(Line::Put(key.to_vec(), value.to_vec()))
    }

    #[test]
    fn lines_are_what_they_say() {
        assert_eq!(Line::parse(b"put k v"), put(b"k", b"v"));
        assert_eq!(Line::parse(b"  PuT k a  value "), put(b"k", b"a  value "));
        assert_eq!(Line::parse(b"put k"), put(b"k", b""));
        assert_eq!(Line::parse(b"put k  two"), put(b"k", b" two"));
        assert_eq!(Line::parse(b"put k a\\nb \"c\""), put(b"k", b"a\\nb \"c\""));
        assert_eq!(
            Line::parse(br#"put "a key\"" " a\x00\\\n" "#),
            put(b"a key\"", b" a\0\\\n")
        );
        assert_eq!(Line::parse(b"get \xff"), Ok(Line::Get(vec![0xFF])));
        assert_eq!(Line::parse(b"del \"a b\""), Ok(Line::Del(b"a b".to_vec())));
        assert_eq!(Line::parse(b"snap a b "), Ok(Line::Snap("a b".into())));
        assert_eq!(Line::parse(b"setbatch 10"), Ok(Line::SetBatch(10)));
        assert_eq!(Line::parse(b" \t "), Ok(Line::Nothing));
        assert_eq!(Line::parse(b"exit"), Ok(Line::Exit));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            (&b"put"[..], "PUT KEY VALUE"),
            (b"put \"\" v", "at least one byte"),
            (b"put \"k v", "closing quote"),
            (b"put k \"v\" w", "closing quote"),
            (b"put \"k\"v", "closing quote"),
            (b"put k \"\\q\"", "no escape"),
            (b"get a b", "GET KEY"),
            (b"setbatch 0", "from 1"),
            (b"bench many", "BENCH N"),
            (b"exit now", "EXIT"),
            (b"drop k", "`DROP` is no command"),
        ] {
            let error = Line::parse(line).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn keys_are_read_as_they_are_typed() {
        for key in [
            &b"key"[..],
            b"a b",
            b"\"",
            b"\\",
            b"\xff\n",
            b" ",
            "ü".as_bytes(),
        ] {
            let line = format!("get {}", typed(key));
            assert_eq!(Line::parse(line.as_bytes()), Ok(Line::Get(key.to_vec())));
        }
    }
}
