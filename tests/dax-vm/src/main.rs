//! Boots a virtual machine with persistent memory, runs Indelible in it, kills
//! the machine and looks at what the next one finds.
//!
//! `indelible-dax-vm FOLDER` with what `build.sh` put there. `DAX_KILLS` says
//! how often the machine is killed, `INDELIBLE_SEED` when.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long the machine may say nothing: it is emulated, and boots in seconds.
const SILENCE: Duration = Duration::from_secs(300);

type Outcome<T = ()> = Result<T, String>;

/// A running machine and what it prints.
struct Machine {
    qemu: Child,
    lines: Receiver<String>,
    /// What it printed, for a failure.
    said: Vec<String>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

impl Machine {
    fn boot(folder: &Path, work: &str) -> Outcome<Self> {
        let nvdimm = |number: u32, file: &str, size: &str| {
            let path = folder.join(file);
            [
                "-object".to_string(),
                format!(
                    "memory-backend-file,id=mem{number},share=on,mem-path={},size={size},align=2M",
                    path.display()
                ),
                "-device".to_string(),
                format!("nvdimm,id=nv{number},memdev=mem{number}"),
            ]
        };
        let mut qemu = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg", "-cpu", "max", "-smp", "1"])
            .args(["-machine", "q35,nvdimm=on,nvdimm-persistence=mem-ctrl"])
            .args(["-m", "512M,slots=3,maxmem=4G"])
            .args(nvdimm(1, "fsdax.img", "64M"))
            .args(nvdimm(2, "devdax.img", "32M"))
            .args(["-nodefaults", "-display", "none", "-no-reboot"])
            .args(["-serial", "stdio"])
            .arg("-kernel")
            .arg(folder.join("vmlinuz"))
            .arg("-initrd")
            .arg(folder.join("initramfs"))
            .arg("-append")
            .arg(format!(
                "console=ttyS0 quiet panic=-1 nokaslr mitigations=off \
                 cryptomgr.notests audit=0 tsc=reliable lsm=none work={work}"
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("qemu-system-x86_64: {error}"))?;
        let output = qemu.stdout.take().ok_or("no output")?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_string();
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            qemu,
            lines,
            said: Vec::new(),
        })
    }

    /// The next line; `None` where the machine is off, or `until` is over.
    fn line(&mut self, until: Instant) -> Option<String> {
        let line = self.lines.recv_timeout(until - Instant::now());
        if let Ok(line) = &line {
            self.said.push(line.clone());
        }
        line.ok()
    }

    /// Waits for a line that begins with a word, and returns the rest of it.
    fn expect(&mut self, word: &str) -> Outcome<String> {
        let until = Instant::now() + SILENCE;
        while let Some(line) = self.line(until) {
            if let Some(rest) = line.strip_prefix(word) {
                return Ok(rest.trim().to_string());
            }
            if line.starts_with("FAILED") {
                break;
            }
        }
        Err(format!(
            "no '{word}' from the machine:\n{}",
            self.said.join("\n")
        ))
    }

    /// Kills the machine after so long and returns the last number that it
    /// acknowledged: what it had printed before it was dead counts.
    fn kill_after(mut self, time: Duration) -> Outcome<Option<u64>> {
        let at = Instant::now() + time;
        while self.line(at).is_some() {}
        self.qemu.kill().map_err(|error| error.to_string())?;
        self.qemu.wait().map_err(|error| error.to_string())?;
        loop {
            match self.lines.recv_timeout(SILENCE) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err("it does not end".to_string()),
            }
        }
        // The very last line may be cut.
        let whole = self.said.len().saturating_sub(1);
        if self.said[..whole]
            .iter()
            .any(|line| line.starts_with("FAILED"))
        {
            return Err(self.said.join("\n"));
        }
        let numbers = self.said[..whole].iter().rev();
        Ok(numbers
            .filter_map(|line| line.strip_prefix("ACK ")?.strip_suffix('.')?.parse().ok())
            .next())
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn number(text: &str) -> Outcome<u64> {
    text.parse().map_err(|error| format!("'{text}': {error}"))
}

/// Runs the adapter's own tests inside.
fn tests(folder: &Path) -> Outcome {
    let mut machine = Machine::boot(folder, "tests")?;
    let until = Instant::now() + SILENCE;
    while let Some(line) = machine.line(until) {
        if line.starts_with("PASSED") {
            return Ok(());
        }
        println!("  {line}");
        if line.starts_with("FAILED") {
            break;
        }
    }
    Err("the adapter's tests failed".to_string())
}

/// Kills the machine over and over; returns how many commits were made and the
/// kills after which acknowledged ones were gone.
fn kills(folder: &Path, work: &str, count: u64, random: &mut u64) -> Outcome<(u64, u64)> {
    let (mut acknowledged, mut lost) = (0, 0);
    for kill in 0..=count {
        let mut machine = Machine::boot(folder, work)?;
        let found = machine.expect("FOUND")?;
        if kill == 0 {
            println!("  {work}: {}", machine.expect("ON")?);
        }
        let found = match found.as_str() {
            "nothing" => 0,
            text => number(text)?,
        };
        if kill > 0 {
            let verdict = if found < acknowledged {
                "LOST"
            } else {
                "all there"
            };
            println!(
                "  {work}, kill {kill}: {acknowledged} acknowledged, {found} found: {verdict}"
            );
            lost += u64::from(found < acknowledged);
            // A commit can be durable and its line still in the terminal's
            // buffer, 4 KiB.
            if found > acknowledged + 512 && lost == 0 {
                return Err(format!(
                    "{found} found where {acknowledged} were acknowledged"
                ));
            }
        }
        acknowledged = found;
        if kill < count {
            let time = Duration::from_millis(200 + next(random) % 1500);
            if let Some(last) = machine.kill_after(time)? {
                acknowledged = last;
            }
        }
    }
    Ok((acknowledged, lost))
}

fn run(folder: &Path) -> Outcome {
    let count = setting("DAX_KILLS", 10);
    let mut seed = setting("INDELIBLE_SEED", 0xDA5) | 1;
    println!("INDELIBLE_SEED={seed} DAX_KILLS={count}");
    tests(folder)?;
    let (commits, lost) = kills(folder, "dax", count, &mut seed)?;
    if lost > 0 {
        return Err(format!("acknowledged commits were lost after {lost} kills"));
    }
    if commits < 10 * count {
        return Err(format!("only {commits} commits: the kills hit nothing"));
    }
    println!("{count} kills, {commits} commits acknowledged, none lost");
    // The control: the same work, the same file system, without DAX and
    // without fsync. If nothing were lost here, the kills would prove nothing.
    let (_, lost) = kills(folder, "plain", 1, &mut seed)?;
    if lost == 0 {
        return Err("the control lost nothing: the kills prove nothing".to_string());
    }
    println!("the control, a plain MAP_SHARED, lost acknowledged commits");
    Ok(())
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: indelible-dax-vm FOLDER");
        return ExitCode::from(2);
    };
    match run(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
