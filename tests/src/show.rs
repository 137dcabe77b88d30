//! Operations in the words with which a test would write them.

use crate::script::{Op, Step};
use core::fmt::{self, Debug, Formatter};

/// Bytes, short where they are all the same.
struct Bytes<'b>(&'b [u8]);

impl Debug for Bytes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            [first, rest @ ..] if rest.len() > 2 && rest.iter().all(|byte| byte == first) => {
                write!(f, "&[{first:#04x}; {}]", self.0.len())
            }
            bytes => write!(f, "b\"{}\"", bytes.escape_ascii()),
        }
    }
}

impl Debug for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value } => {
                write!(f, "put({:?}, {:?})", Bytes(key), Bytes(value))
            }
            Self::Create { key, value } => {
                write!(f, "create({:?}, {:?})", Bytes(key), Bytes(value))
            }
            Self::Update { key, value } => {
                write!(f, "update({:?}, {:?})", Bytes(key), Bytes(value))
            }
            Self::Delete { key } => write!(f, "delete({:?})", Bytes(key)),
            Self::ListAppend { key, element } => {
                write!(f, "list_append({:?}, {:?})", Bytes(key), Bytes(element))
            }
            Self::ListUpdate {
                key,
                index,
                element,
            } => {
                let (key, element) = (Bytes(key), Bytes(element));
                write!(f, "list_update({key:?}, {index}, {element:?})")
            }
            Self::ListTrim { key, count } => write!(f, "list_trim({:?}, {count})", Bytes(key)),
            Self::Append { log, data } => write!(f, "append({log}, {:?})", Bytes(data)),
            Self::AdvanceHead { log, by } => write!(f, "advance_head({log}, {by})"),
        }
    }
}

impl Debug for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(step) => write!(f, "{step:?}"),
            Self::Transaction(steps) => write!(f, "transaction{steps:?}"),
            Self::Aborted(steps) => write!(f, "aborted{steps:?}"),
            Self::Maintain(budget) => write!(f, "maintain({budget})"),
            Self::Close => write!(f, "close"),
            Self::Grow(segments) => write!(f, "grow to {segments} segments"),
            Self::Reopen => write!(f, "reopen"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::script::{Op, append, put_step};

    #[test]
    fn operations_read_as_they_are_written() {
        let both = Op::Transaction(vec![put_step(b"k", &[0xFF; 9]), put_step(b"\0", b"v")]);
        let shown = r#"transaction[put(b"k", &[0xff; 9]), put(b"\x00", b"v")]"#;
        assert_eq!(format!("{both:?}"), shown);
        assert_eq!(format!("{:?}", append(1, b"ab")), r#"append(1, b"ab")"#);
    }
}
