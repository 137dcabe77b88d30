//! Standard output and standard error, without a panic where either is closed.

use std::io::{self, BufWriter, StdoutLock, Write};

use crate::failure::{Failure, Outcome};

/// Buffered standard output that has to be finished.
pub struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub fn new() -> Self {
        Self(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.0.write_all(bytes).map_err(Failure::output)
    }

    pub fn line(&mut self, line: impl std::fmt::Display) -> Outcome {
        writeln!(self.0, "{line}").map_err(Failure::output)
    }

    /// Hands everything on. What is written last fails here or never.
    pub fn flush(&mut self) -> Outcome {
        self.0.flush().map_err(Failure::output)
    }
}

/// One line on standard error.
pub fn complain(message: &str) {
    let message = message.replace('\n', " ");
    // There is no other place to report that it is closed.
    let _ = writeln!(io::stderr(), "indelible: {message}");
}
