//! `import`: every regular file of a folder becomes a key.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use indelible_dax::SharedError;
use indelible_dax::indelible::Error;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::count;
use super::keys::{Change, Keys};
use super::stores::changing;
use crate::args::Import;
use crate::failure::{Code, Failure, Outcome};
use crate::output::{Output, complain};
use crate::text::escaped;

/// Files and bytes that one transaction takes. Nothing is acknowledged before
/// its transaction is durable, so this only spares flushes.
const GROUP_FILES: usize = 64;
const GROUP_BYTES: usize = 1 << 20;

/// Bytes that are compared at a time.
const PIECE: usize = 256 << 10;

/// What was found in a folder.
#[derive(Default)]
struct Tree {
    files: Vec<Found>,
    bytes: u64,
    symlinks: u64,
    empty: u64,
    /// Pipes, sockets and devices.
    other: u64,
    unreadable: u64,
}

struct Found {
    path: PathBuf,
    key: Vec<u8>,
    len: u64,
}

pub fn run(args: Import) -> Outcome {
    // The store itself may lie in the folder.
    let store = identity(
        &args.store,
        &fs::metadata(&args.store).map_err(|error| {
            Failure::new(
                Code::Open,
                format_args!("{}: opening failed: {error}", args.store.display()),
            )
        })?,
    );
    let tree = Tree::walk(&args.dir, store)?;
    let bar = progress(tree.bytes);
    let outcome = changing(&args.store, |store| {
        let mut run = Run {
            args: &args,
            group: Vec::new(),
            group_bytes: 0,
            output: Output::new(),
            failed: tree.unreadable,
            value: Vec::new(),
        };
        for found in &tree.files {
            run.file(store, found)?;
            bar.inc(found.len);
        }
        run.commit(store)?;
        Ok(run.failed)
    });
    bar.finish_and_clear();
    tree.tell();
    match outcome? {
        0 => Ok(()),
        failed => Err(Failure::new(
            Code::Io,
            format_args!(
                "{} not imported; the rest is",
                count(failed, "file or folder was", "files or folders were")
            ),
        )),
    }
}

fn progress(bytes: u64) -> ProgressBar {
    // Hidden where standard error is no terminal.
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    let template = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// An import under way.
struct Run<'r> {
    args: &'r Import,
    /// Keys of the open transaction.
    group: Vec<&'r [u8]>,
    group_bytes: usize,
    output: Output,
    failed: u64,
    value: Vec<u8>,
}

impl<'r> Run<'r> {
    fn file(&mut self, store: &mut dyn Keys, found: &'r Found) -> Outcome {
        let mut file = match open(&found.path) {
            Ok(file) => file,
            Err(error) => {
                self.refuse(&found.path, error);
                return Ok(());
            }
        };
        match self.is_there(store, &found.key, &mut file) {
            Ok(true) => {
                if self.args.ack {
                    // In order with those before it.
                    self.commit(store)?;
                    self.acknowledge(&found.key)?;
                }
                return Ok(());
            }
            Ok(false) => {}
            Err(Compared::File(error)) => {
                self.refuse(&found.path, error);
                return Ok(());
            }
            Err(Compared::Store(error)) => match error.store() {
                // A damaged value is put anew.
                Some(Error::Corrupt { .. } | Error::Doubtful { .. }) => {}
                _ => return Err(self.stopped(found, error)),
            },
        }
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        let read = open(&found.path).and_then(|mut file| file.read_to_end(&mut value));
        if let Err(error) = read {
            self.refuse(&found.path, error);
            self.value = value;
            return Ok(());
        }
        if self.group.len() >= GROUP_FILES || self.group_bytes + value.len() > GROUP_BYTES {
            self.commit(store)?;
        }
        let change = Change::Put(&found.key, &value);
        let mut put = store.stage(change);
        if put.is_err() && !self.group.is_empty() {
            // It may fit into a transaction of its own.
            self.commit(store)?;
            put = store.stage(change);
        }
        match put {
            Ok(()) => {
                self.group.push(&found.key);
                self.group_bytes += value.len();
            }
            Err(error) => match error.store() {
                Some(Error::KeyTooLong { .. } | Error::ValueTooLong { .. }) => {
                    self.refuse(&found.path, error);
                }
                _ => {
                    // The transaction holds nothing else.
                    store.abort();
                    return Err(self.stopped(found, error));
                }
            },
        }
        self.value = value;
        Ok(())
    }

    /// Makes the open transaction durable, and says so.
    fn commit(&mut self, store: &mut dyn Keys) -> Outcome {
        store
            .commit()
            .map_err(|error| Failure::from(error).about(self.args.store.display()))?;
        self.group_bytes = 0;
        for key in std::mem::take(&mut self.group) {
            if self.args.ack {
                self.output.bytes(key)?;
                self.output.bytes(b"\n")?;
            }
        }
        if self.args.ack {
            self.output.flush()
        } else {
            Ok(())
        }
    }

    fn acknowledge(&mut self, key: &[u8]) -> Outcome {
        self.output.bytes(key)?;
        self.output.bytes(b"\n")?;
        self.output.flush()
    }

    /// Whether the key already has the file's bytes.
    fn is_there(&self, store: &dyn Keys, key: &[u8], file: &mut File) -> Result<bool, Compared> {
        let len = file.metadata().map_err(Compared::File)?.len();
        if store.value_len(key).map_err(Compared::Store)? != Some(len) {
            return Ok(false);
        }
        let mut mine = vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE))];
        let mut theirs = mine.clone();
        let mut done = 0;
        while done < len {
            let read = store
                .read_value(key, done, &mut mine)
                .map_err(Compared::Store)?;
            let read = read.unwrap_or(0);
            match file.read_exact(&mut theirs[..read]) {
                Ok(()) if read > 0 && mine[..read] == theirs[..read] => done += read as u64,
                Ok(()) => return Ok(false),
                // It shrank; it will be read again.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) => return Err(Compared::File(error)),
            }
        }
        Ok(true)
    }

    /// Leaves a file out, and goes on.
    fn refuse(&mut self, path: &Path, error: impl std::fmt::Display) {
        self.failed += 1;
        complain(&format!("{}: {error}; not imported", path.display()));
    }

    fn stopped(&self, found: &Found, error: SharedError) -> Failure {
        let failure = Failure::from(error);
        failure.about(format_args!(
            "{}: {}",
            self.args.store.display(),
            escaped(&found.key)
        ))
    }
}

/// Which side of a comparison failed.
enum Compared {
    File(io::Error),
    Store(SharedError),
}

impl Tree {
    fn walk(root: &Path, store: Option<(u64, u64)>) -> Outcome<Self> {
        let mut tree = Tree::default();
        let mut folders = vec![(root.to_path_buf(), Vec::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let entries =
                match fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                    Ok(entries) => entries,
                    Err(error) if prefix.is_empty() => return Err(Failure::path(&folder, error)),
                    Err(error) => {
                        complain(&format!("{}: {error}; not imported", folder.display()));
                        tree.unreadable += 1;
                        continue;
                    }
                };
            if entries.is_empty() {
                tree.empty += 1;
            }
            for entry in entries {
                let path = entry.path();
                let mut key = prefix.clone();
                if !key.is_empty() {
                    key.push(b'/');
                }
                let (kind, meta) = match (entry.file_type(), entry.metadata()) {
                    (Ok(kind), Ok(meta)) => (kind, meta),
                    (Err(error), _) | (_, Err(error)) => {
                        complain(&format!("{}: {error}; not imported", path.display()));
                        tree.unreadable += 1;
                        continue;
                    }
                };
                let name = entry.file_name();
                let Some(name) = name_bytes(&name) else {
                    complain(&format!(
                        "{}: the name is no valid text; not imported",
                        path.display()
                    ));
                    tree.unreadable += 1;
                    continue;
                };
                key.extend_from_slice(name);
                if kind.is_symlink() {
                    tree.symlinks += 1;
                } else if kind.is_dir() {
                    // One in shards is a folder.
                    if store.is_none() || identity(&path, &meta) != store {
                        folders.push((path, key));
                    }
                } else if !kind.is_file() {
                    tree.other += 1;
                } else if store.is_none() || identity(&path, &meta) != store {
                    tree.bytes += meta.len();
                    tree.files.push(Found {
                        path,
                        key,
                        len: meta.len(),
                    });
                }
            }
        }
        tree.files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(tree)
    }

    /// Says what was left out.
    fn tell(&self) {
        let some = |number: u64, one, many| (number > 0).then(|| count(number, one, many));
        let left: Vec<String> = [
            some(self.symlinks, "symlink", "symlinks"),
            some(self.empty, "empty folder", "empty folders"),
            some(
                self.other,
                "pipe, socket or device",
                "pipes, sockets or devices",
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !left.is_empty() {
            complain(&format!("left out: {}", left.join(", ")));
        }
    }
}

/// Opens a regular file, and nothing that took its place.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;

    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("no longer a regular file"));
    }
    Ok(file)
}

#[cfg(windows)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;

    let file = File::options()
        .read(true)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("no longer a regular file"));
    }
    Ok(file)
}

/// What tells a file from others.
#[cfg(unix)]
fn identity(_: &Path, meta: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((meta.dev(), meta.ino()))
}

/// What tells a file from others: the system says it of open files alone.
#[cfg(windows)]
fn identity(path: &Path, _: &fs::Metadata) -> Option<(u64, u64)> {
    let handle = winapi_util::Handle::from_path_any(path).ok()?;
    let about = winapi_util::file::information(&handle).ok()?;
    Some((about.volume_serial_number(), about.file_index()))
}

#[cfg(unix)]
fn name_bytes(name: &std::ffi::OsStr) -> Option<&[u8]> {
    Some(name.as_encoded_bytes())
}

#[cfg(not(unix))]
fn name_bytes(name: &std::ffi::OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}
