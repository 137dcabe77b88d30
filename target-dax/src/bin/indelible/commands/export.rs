//! `export`: every key's value becomes a file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use indelible_dax::Reads;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use super::kv::each_piece;
use super::{each_key, walking};
use crate::args::Export;
use crate::failure::{Code, Failure, Outcome};
use crate::output::complain;
use crate::text::{argument, escaped};

pub fn run(args: Export) -> Outcome {
    let prefix = match &args.prefix {
        Some(prefix) => argument(prefix, false)?,
        None => Vec::new(),
    };
    // What lies on a failing disk is read so that an unreadable page is an
    // error, not the end of the process.
    walking(&args.store, Reads::Positioned, |store| {
        if args.accept_damage {
            store.accept_damage()?;
        }
        let store = &*store;
        fs::create_dir_all(&args.dir).map_err(|error| Failure::path(&args.dir, error))?;
        let mut folders = Folders::new(&args.dir)?;
        let mut worst = None;
        let mut refuse = |key: &[u8], code: Code, reason: &dyn std::fmt::Display| {
            complain(&format!("{}: {reason}; not exported", escaped(key)));
            worst = worst.max(Some(code));
        };
        let walked = each_key(store, &prefix, |entry| {
            let key = entry.key;
            if let Err(reason) = check_name(key) {
                refuse(key, Code::Io, &reason);
                return Ok(());
            }
            // With a file `a` there can be no folder `a`.
            for slash in (0..key.len()).filter(|at| key[*at] == b'/') {
                // Where damage makes it doubtful there is no file either.
                let above = store.contains(&key[..slash]);
                if matches!(above, Ok(true)) {
                    let above = escaped(&key[..slash]);
                    let reason = format!("`{above}` is a file, not a folder");
                    refuse(key, Code::Io, &reason);
                    return Ok(());
                }
            }
            let mut file = match folders.create(key) {
                Ok(file) => file,
                Err(error) => {
                    refuse(key, Code::Io, &error);
                    return Ok(());
                }
            };
            let written = each_piece(store, key, |piece| {
                file.write_all(piece)
                    .map_err(|error| Failure::new(Code::Io, error))
            });
            if let Err(failure) = written {
                // No file is better than half a file.
                folders.remove(key);
                refuse(key, failure.code, &failure.message.unwrap_or_default());
                if failure.code == Code::Io {
                    return Err(Failure::told(Code::Io));
                }
            }
            Ok(())
        });
        walked.map_err(|failure| failure.about(args.store.display()))?;
        worst.map_or(Ok(()), |code| Err(Failure::told(code)))
    })
}

/// Whether a key names a file below a folder and nothing else.
fn check_name(key: &[u8]) -> Result<(), &'static str> {
    if key.first() == Some(&b'/') {
        return Err("the key is an absolute path");
    }
    if key.contains(&0) {
        return Err("the key holds a zero byte, which no path can");
    }
    for part in key.split(|byte| *byte == b'/') {
        match part {
            b"" => return Err("the key has an empty part"),
            b"." => return Err("the key has a `.` part"),
            b".." => return Err("the key has a `..` part"),
            _ => {}
        }
    }
    Ok(())
}

/// The folder exported to, and the chain of folders of the last key: keys
/// come in order, so the next one shares most of it.
struct Folders {
    root: OwnedFd,
    chain: Vec<(Vec<u8>, OwnedFd)>,
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

impl Folders {
    fn new(root: &Path) -> Outcome<Self> {
        let root = openat(CWD, root, FOLDER, Mode::empty())
            .map_err(|error| Failure::path(root, io::Error::from(error)))?;
        Ok(Self {
            root,
            chain: Vec::new(),
        })
    }

    /// The folder of a key and the key's last part.
    fn enter<'k>(&mut self, key: &'k [u8]) -> Result<(BorrowedFd<'_>, &'k [u8]), String> {
        let mut parts: Vec<&[u8]> = key.split(|byte| *byte == b'/').collect();
        let name = parts.pop().unwrap_or_default();
        let shared = self
            .chain
            .iter()
            .zip(&parts)
            .take_while(|((a, _), b)| a == *b)
            .count();
        self.chain.truncate(shared);
        for part in &parts[shared..] {
            let above = self
                .chain
                .last()
                .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
            match mkdirat(above, *part, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => {
                    return Err(format!(
                        "folder `{}`: {}",
                        escaped(part),
                        io::Error::from(error)
                    ));
                }
            }
            let folder = openat(above, *part, FOLDER | OFlags::NOFOLLOW, Mode::empty());
            let folder = folder.map_err(|error| match error {
                Errno::LOOP | Errno::NOTDIR => {
                    format!("`{}` is a symlink or a file, not a folder", escaped(part))
                }
                error => format!("folder `{}`: {}", escaped(part), io::Error::from(error)),
            })?;
            self.chain.push((part.to_vec(), folder));
        }
        let folder = self
            .chain
            .last()
            .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
        Ok((folder, name))
    }

    /// Creates or empties a key's file.
    fn create(&mut self, key: &[u8]) -> Result<File, String> {
        let (folder, name) = self.enter(key)?;
        // Without waiting for the reader of a pipe, or emptying it unseen.
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file =
            openat(folder, name, flags, Mode::from_raw_mode(0o666)).map_err(
                |error| match error {
                    Errno::LOOP => "a symlink is in its place".to_string(),
                    Errno::ISDIR => "a folder is in its place".to_string(),
                    error => io::Error::from(error).to_string(),
                },
            )?;
        let stat = fstat(&file).map_err(|error| io::Error::from(error).to_string())?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
            return Err("no regular file is in its place".to_string());
        }
        let file = File::from(file);
        file.set_len(0).map_err(|error| error.to_string())?;
        Ok(file)
    }

    fn remove(&mut self, key: &[u8]) {
        if let Ok((folder, name)) = self.enter(key) {
            // It was just created; what fails here failed before.
            let _ = unlinkat(folder, name, AtFlags::empty());
        }
    }
}
