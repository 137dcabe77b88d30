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

/// What a machine said last of its commits and of its store's size, if it did.
struct Acknowledged {
    commit: Option<u64>,
    size: Option<u64>,
    /// Whether it was growing.
    growing: bool,
}

/// What became of a run of kills.
struct Tally {
    commits: u64,
    /// Kills after which something acknowledged was gone.
    lost: u64,
    /// Kills that hit a growth.
    growing: u64,
    /// The store's size at first and in the end.
    sizes: (u64, u64),
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

    /// Kills the machine after so long and returns what it acknowledged last:
    /// what it had printed before it was dead counts.
    fn kill_after(mut self, time: Duration) -> Outcome<Acknowledged> {
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
        let last = |word: &str| {
            let mut lines = self.said[..whole].iter().rev();
            lines.find_map(|line| line.strip_prefix(word)?.strip_suffix('.')?.parse().ok())
        };
        let size = last("GREW ");
        Ok(Acknowledged {
            commit: last("ACK "),
            size,
            growing: last("GROWING ").is_some_and(|begun| Some(begun) != size),
        })
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

/// Runs what is not to be killed, and prints what it says up to a word.
fn through(folder: &Path, work: &str, word: &str) -> Outcome {
    let mut machine = Machine::boot(folder, work)?;
    let until = Instant::now() + SILENCE;
    while let Some(line) = machine.line(until) {
        if line.starts_with(word) {
            return Ok(());
        }
        println!("  {line}");
        if line.starts_with("FAILED") {
            break;
        }
    }
    Err(format!("{work} failed"))
}

/// Kills the machine over and over.
fn kills(folder: &Path, work: &str, count: u64, random: &mut u64) -> Outcome<Tally> {
    let (mut acknowledged, mut grown, mut first, mut lost, mut growing) = (0, 0, 0, 0, 0);
    for kill in 0..=count {
        let mut machine = Machine::boot(folder, work)?;
        let found = machine.expect("FOUND")?;
        let size = number(&machine.expect("SIZE")?)?;
        if kill == 0 {
            println!("  {work}: {}", machine.expect("ON")?);
            first = size;
        }
        let found = match found.as_str() {
            "nothing" => 0,
            text => number(text)?,
        };
        if kill > 0 {
            let gone = found < acknowledged || size < grown;
            let verdict = if gone { "LOST" } else { "all there" };
            println!(
                "  {work}, kill {kill}: {acknowledged} acknowledged, {found} found, \
                 {size} bytes: {verdict}"
            );
            lost += u64::from(gone);
            // A commit can be durable and its line still in the terminal's
            // buffer, 4 KiB.
            if found > acknowledged + 512 && lost == 0 {
                return Err(format!(
                    "{found} found where {acknowledged} were acknowledged"
                ));
            }
        }
        (acknowledged, grown) = (found, size);
        if kill < count {
            let time = Duration::from_millis(200 + next(random) % 1500);
            let said = machine.kill_after(time)?;
            acknowledged = said.commit.unwrap_or(acknowledged);
            grown = said.size.unwrap_or(grown);
            growing += u64::from(said.growing);
        }
    }
    Ok(Tally {
        commits: acknowledged,
        lost,
        growing,
        sizes: (first, grown),
    })
}

fn run(folder: &Path) -> Outcome {
    let count = setting("DAX_KILLS", 10);
    let mut seed = setting("INDELIBLE_SEED", 0xDA5) | 1;
    println!("INDELIBLE_SEED={seed} DAX_KILLS={count}");
    through(folder, "tests", "PASSED")?;
    println!("a page that the kernel takes for poisoned:");
    through(folder, "poison", "POISONED")?;
    let work = kills(folder, "dax", count, &mut seed)?;
    let growths = count.div_ceil(2);
    let growth = kills(folder, "grow", growths, &mut seed)?;
    let lost = work.lost + growth.lost;
    if lost > 0 {
        return Err(format!("what was acknowledged was lost after {lost} kills"));
    }
    if work.commits < 10 * count || growth.commits < 10 * growths {
        let commits = work.commits + growth.commits;
        return Err(format!("only {commits} commits: the kills hit nothing"));
    }
    println!(
        "{count} kills, {} commits acknowledged, none lost",
        work.commits
    );
    let (from, to) = growth.sizes;
    if to == from {
        return Err("nothing grew".to_string());
    }
    println!(
        "{growths} kills as a store grew from {from} to {to} bytes, {} of them in a growth; \
         {} commits acknowledged, none lost",
        growth.growing, growth.commits
    );
    // The control: the same work, the same file system, without DAX and
    // without fsync. If nothing were lost here, the kills would prove nothing.
    let control = kills(folder, "plain", 1, &mut seed)?;
    if control.lost == 0 {
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
