//! The shell as a script and in a terminal, and the commands for backups.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::*;

#[test]
fn a_script_is_done_line_by_line() {
    let bench = Bench::with_store("4M", &[]);
    let script = "put greeting  hello  world \n\
                  # a comment\n\
                  \n\
                  Get greeting\n\
                  PUT \"a key\" \" \\x00\\n\\\"\"\r\n\
                  get \"a key\"\n\
                  size\n\
                  del greeting\n\
                  put empty\n\
                  get empty\n";
    let ran = bench.run_with(["shell", "s"], script);
    let printed = String::from_utf8(ran.succeeds().to_vec()).unwrap();
    let lines: Vec<&str> = printed.split('\n').collect();
    assert_eq!(lines[..4], ["OK", " hello  world ", "OK", " \\0\\n\""]);
    assert!(lines[4].starts_with("2 keys, "), "{}", lines[4]);
    assert_eq!(lines[5..], ["OK", "OK", "", ""]);
    assert_eq!(ran.stderr(), "");
    bench.run(["get", "s", "a key"]).prints(" \0\n\"");
    bench.run(["list", "s"]).prints("a key\nempty\n");
}

#[test]
fn the_first_failure_is_the_exit_code_and_the_rest_is_done() {
    let bench = Bench::with_store("4M", &[]);
    let ran = bench.run_with(["shell", "s"], "get no\nput k v\nfrob\nexit\nput never v\n");
    assert_eq!(ran.0.status.code(), Some(NOT_FOUND));
    assert_eq!(ran.0.stdout, b"OK\n");
    assert_eq!(
        ran.stderr(),
        "indelible: line 1: no: not found\n\
         indelible: line 3: `FROB` is no command; HELP lists them\n"
    );
    bench.run(["list", "s"]).prints("k\n");
    let ran = bench.run_with(["shell", "s"], "frob\nget no\n");
    assert_eq!(ran.0.status.code(), Some(USAGE));
    bench
        .run_with(["shell", "no"], "size\n")
        .fails(CANNOT_OPEN, "no");
}

#[test]
fn batches_are_durable_when_they_are_full_or_flushed() {
    let bench = Bench::with_store("4M", &[]);
    let mut shell = Session::piped(&bench);
    shell.says("setbatch 3", "OK\n");
    shell.says("put a 1", "OK (1 of 3, not durable)\n");
    shell.says("get a", "1\n");
    shell.says("put b 2", "OK (2 of 3, not durable)\n");
    // As a power cut would.
    shell.kill();
    bench.run(["list", "s"]).succeeds();
    assert!(!bench.run(["list", "s"]).0.stdout.contains(&b'a'));

    let mut shell = Session::piped(&bench);
    shell.says("setbatch 3", "OK\n");
    shell.says("put a 1", "OK (1 of 3, not durable)\n");
    shell.says("del a", "OK (2 of 3, not durable)\n");
    shell.says("put b 2", "OK\n");
    shell.says("put c 3", "OK (1 of 3, not durable)\n");
    shell.says("flush", "OK (1 committed)\n");
    shell.says("flush", "OK\n");
    shell.says("put d 4", "OK (1 of 3, not durable)\n");
    shell.kill();
    assert!(bench.run(["list", "s"]).succeeds() == b"b\nc\n");

    // The end of a script commits, and so does EXIT.
    let ran = bench.run_with(["shell", "s"], "setbatch 9\nput e 5\ndel no\n");
    assert_eq!(ran.0.status.code(), Some(NOT_FOUND));
    bench
        .run_with(["shell", "s"], "setbatch 9\nput f 6\nexit\n")
        .succeeds();
    bench.run(["list", "s"]).prints("b\nc\ne\nf\n");
}

#[test]
fn snap_copies_and_bench_leaves_nothing() {
    let bench = Bench::with_store("4M", &[]);
    let script = "setbatch 10\nput k v\nsnap a copy\nput k w\nbench 25\nsize\nsnap a copy\n";
    let ran = bench.run_with(["shell", "s"], script);
    assert_eq!(ran.0.status.code(), Some(CANNOT_OPEN));
    assert!(
        ran.stderr().contains("line 7: a copy: the path exists"),
        "{}",
        ran.stderr()
    );
    let printed = String::from_utf8_lossy(&ran.0.stdout).into_owned();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[2].starts_with("OK (4194304 bytes, CRC-32C "),
        "{}",
        lines[2]
    );
    assert!(
        lines[4].contains(" puts a second, 10 a transaction; "),
        "{}",
        lines[4]
    );
    assert!(lines[5].starts_with("1 key, "), "{}", lines[5]);
    bench.run(["get", "a copy", "k"]).prints("v");
    bench.run(["get", "s", "k"]).prints("w");
    bench.run(["check", "a copy"]).succeeds();
}

#[test]
fn backup_and_restore_replace_on_request_alone() {
    let bench = Bench::with_store("4M", &[]);
    bench.run(["put", "s", "k", "old"]).prints("");
    let image = fs::read(bench.path("s")).unwrap();
    let said = format!("4194304 bytes, CRC-32C {:08x}\n", crc32c::crc32c(&image));
    bench.run(["backup", "s", "copy"]).prints(&said);
    assert!(fs::read(bench.path("copy")).unwrap() == image);
    bench.run(["put", "s", "k", "new"]).prints("");
    bench
        .run(["backup", "s", "copy"])
        .fails(CANNOT_OPEN, "copy: the path exists");
    bench
        .run(["restore", "copy", "s"])
        .fails(CANNOT_OPEN, "s: the path exists");
    bench.run(["get", "s", "k"]).prints("new");

    let mut shell = Session::piped(&bench);
    shell.says("get k", "new\n");
    bench
        .run(["restore", "copy", "s", "--force"])
        .fails(CANNOT_OPEN, "another process");
    bench
        .run(["backup", "s", "other"])
        .fails(CANNOT_OPEN, "another process");
    shell.kill();

    bench.run(["restore", "copy", "s", "--force"]).prints(&said);
    bench.run(["get", "s", "k"]).prints("old");
    bench.run(["restore", "copy", "third"]).prints(&said);
    bench.run(["get", "third", "k"]).prints("old");
    bench
        .run(["restore", "none", "fourth"])
        .fails(CANNOT_OPEN, "none");
    let mut names: Vec<_> = fs::read_dir(bench.path("."))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["copy", "s", "third"]);
}

#[test]
fn a_backup_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let bench = Bench::with_store("16M", &[]);
    let mut random = Random(0x5EED_0B11);
    bench
        .run_with(["put", "s", "k"], random.bytes(3 << 20))
        .succeeds();
    let start = Instant::now();
    bench.run(["backup", "s", "copy"]).succeeds();
    let whole = start.elapsed();
    let old = fs::read(bench.path("copy")).unwrap();
    bench.run(["put", "s", "more", "v"]).prints("");
    let new = fs::read(bench.path("s")).unwrap();
    let mut kept = 0;
    for kill in 0..15u64 {
        let args = match kill % 2 {
            0 => vec!["backup", "s", "copy", "--force"],
            _ => vec!["backup", "s", "fresh"],
        };
        let name = args[2];
        let mut child = bench.command(&args).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(
            random.below(2 * whole.as_micros() as u64),
        ));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = fs::read(bench.path(name)).ok();
        assert!(
            found.is_none() && name == "fresh"
                || found.as_ref() == Some(&new)
                || found == Some(old.clone()),
            "kill {kill}: half a file"
        );
        kept += u32::from(found.as_ref() != Some(&new));
        let _ = fs::remove_file(bench.path("fresh"));
        fs::write(bench.path("copy"), &old).unwrap();
    }
    println!("{kept} of 15 backups were killed before they were there, within {whole:?}");
    // What they left goes with the next.
    bench.run(["backup", "s", "copy", "--force"]).succeeds();
    bench.run(["backup", "s", "fresh"]).succeeds();
    assert_eq!(fs::read_dir(bench.path(".")).unwrap().count(), 3);
}

#[cfg(unix)]
#[test]
fn a_terminal_has_a_prompt_completion_and_a_history() {
    let bench = Bench::with_store("4M", &[]);
    let mut shell = Session::terminal(&bench);
    shell.sees("s> ");
    shell.types("put animals/zebra stripes and hoofs\r");
    shell.sees("OK");
    shell.sees("s> ");
    // The command's name, and the only key with that beginning.
    shell.types("ge\tani\t\r");
    shell.sees("stripes and hoofs");
    shell.sees("s> ");
    shell.types("setbatch 5\r");
    shell.sees("OK");
    shell.types("put b 2\r");
    shell.sees("OK (1 of 5, not durable)");
    shell.sees("s (1 open)> ");
    // Ctrl-C says what is open, and goes on.
    shell.types("put never\x03");
    shell.sees("1 change is not durable yet");
    // The last line again.
    shell.types("\x1b[A\r");
    shell.sees("OK (2 of 5, not durable)");
    shell.sees("s (2 open)> ");
    shell.types("get nothing\r");
    shell.sees("nothing: not found");
    shell.sees("s (2 open)> ");
    // Ctrl-D commits.
    shell.types("\x04");
    assert!(shell.child.wait().unwrap().success());
    bench.run(["list", "s"]).prints("animals/zebra\nb\n");
    let history = fs::read_to_string(bench.path("history")).unwrap();
    assert!(history.contains("GET animals/zebra"), "{history}");

    let mut shell = Session::terminal(&bench);
    shell.sees("s> ");
    shell.types("\x1b[A\x1b[A\r");
    shell.sees("OK");
    shell.types("exit\r");
    assert!(shell.child.wait().unwrap().success());
}

/// A shell that is talked to, with what it printed so far.
struct Session {
    child: Child,
    input: Box<dyn Write>,
    printed: Receiver<Vec<u8>>,
    unread: Vec<u8>,
}

impl Session {
    fn piped(bench: &Bench) -> Self {
        let mut child = bench
            .command(["shell", "s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = Box::new(child.stdin.take().unwrap());
        let output = child.stdout.take().unwrap();
        Self::over(child, input, output)
    }

    #[cfg(unix)]
    fn terminal(bench: &Bench) -> Self {
        use std::fs::File;

        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = || File::options().read(true).write(true).open(&name).unwrap();
        let child = bench
            .command(["shell", "s", "--history", "history"])
            .env("TERM", "xterm")
            .stdin(theirs())
            .stdout(theirs())
            .stderr(theirs())
            .spawn()
            .unwrap();
        let ours = File::from(ours);
        Self::over(child, Box::new(ours.try_clone().unwrap()), ours)
    }

    fn over(child: Child, input: Box<dyn Write>, mut output: impl Read + Send + 'static) -> Self {
        let (sender, printed) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(len) = output.read(&mut bytes)
                && len > 0
                && sender.send(bytes[..len].to_vec()).is_ok()
            {}
        });
        Self {
            child,
            input,
            printed,
            unread: Vec::new(),
        }
    }

    fn types(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// Waits for a text and forgets what was printed up to its end.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let found = self
                .unread
                .windows(text.len())
                .position(|bytes| bytes == text.as_bytes());
            if let Some(at) = found {
                self.unread.drain(..at + text.len());
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.printed.recv_timeout(left) {
                Ok(bytes) => self.unread.extend(bytes),
                Err(error) => panic!("{text:?}: {error}: {}", self.unread.escape_ascii()),
            }
        }
    }

    #[track_caller]
    fn says(&mut self, line: &str, answer: &str) {
        self.types(&format!("{line}\n"));
        self.sees(answer);
        assert!(self.unread.is_empty(), "{}", self.unread.escape_ascii());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
