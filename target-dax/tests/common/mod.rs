//! A folder to work in, and the command to run there.

#![allow(dead_code)]

pub mod judge;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The exit codes of the command.
pub const NOT_FOUND: i32 = 1;
pub const USAGE: i32 = 2;
pub const CANNOT_OPEN: i32 = 3;
pub const IO_FAILED: i32 = 4;
pub const DAMAGED: i32 = 5;
pub const FULL: i32 = 6;

pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that runs in the folder.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_indelible"));
        command.current_dir(self.folder.path()).args(args);
        command
    }

    /// Runs the command with nothing to read.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        let output = self.command(args).stdin(Stdio::null()).output().unwrap();
        Ran(output)
    }

    /// Runs the command with bytes to read.
    pub fn run_with<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: impl AsRef<[u8]>,
    ) -> Ran {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may end before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(input.as_ref());
        Ran(child.wait_with_output().unwrap())
    }

    /// A store of a size, with further arguments to `create`.
    pub fn with_store(size: &str, further: &[&str]) -> Self {
        let bench = Self::new();
        let args = ["create", "s", "--size", size]
            .into_iter()
            .chain(further.iter().copied());
        bench.run(args).succeeds();
        bench
    }
}

pub struct Ran(pub Output);

impl Ran {
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    #[track_caller]
    pub fn succeeds(&self) -> &[u8] {
        assert!(
            self.0.status.success(),
            "{:?}: {}",
            self.0.status,
            self.stderr()
        );
        &self.0.stdout
    }

    /// Succeeds, says nothing on standard error, and prints exactly this.
    #[track_caller]
    pub fn prints(&self, expected: impl AsRef<[u8]>) {
        let printed = self.succeeds();
        assert_eq!(
            String::from_utf8_lossy(printed),
            String::from_utf8_lossy(expected.as_ref())
        );
        assert_eq!(printed, expected.as_ref());
        assert_eq!(self.stderr(), "");
    }

    /// Fails with a code and one line that holds these words.
    #[track_caller]
    pub fn fails(&self, code: i32, words: &str) {
        let stderr = self.stderr();
        assert_eq!(self.0.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(words), "{words:?} is not in {stderr:?}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("indelible: "), "{stderr}");
    }
}

/// A small random generator; tests print the seed where they fail.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 24) as u8).collect()
    }
}
