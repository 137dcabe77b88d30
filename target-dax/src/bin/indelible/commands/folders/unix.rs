//! Folders by their handles, so that nothing that takes a folder's place
//! meanwhile is followed.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use crate::failure::{Failure, Outcome};
use crate::text::escaped;

/// Every name is one that a file may have.
#[expect(clippy::unnecessary_wraps, reason = "as on other systems")]
pub fn check_name(_key: &[u8]) -> Result<(), &'static str> {
    Ok(())
}

/// The folder exported to, and the chain of folders of the last key: keys
/// come in order, so the next one shares most of it.
pub struct Folders {
    root: OwnedFd,
    chain: Vec<(Vec<u8>, OwnedFd)>,
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

impl Folders {
    pub fn new(root: &Path) -> Outcome<Self> {
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
    pub fn create(&mut self, key: &[u8]) -> Result<File, String> {
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

    pub fn remove(&mut self, key: &[u8]) {
        if let Ok((folder, name)) = self.enter(key) {
            // It was just created; what fails here failed before.
            let _ = unlinkat(folder, name, AtFlags::empty());
        }
    }
}
