//! The file that a copy becomes: under a name of its own until it is whole,
//! durable and verified.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible::HashIndex;

use super::tracker::{Moment, sum_of};
use super::{BackupError, BackupOptions, Copied};
use crate::MediumChoice;
use crate::file::{Access, FileError, Operation, OsFile, Reads, reserve_room, sync_folder_of};
use crate::host::{HostMemory, HostStore};

const SUFFIX: &str = ".partial";

/// A copy that is not there yet; the drop of one that was not finished removes
/// it.
#[derive(Debug)]
pub(crate) struct Target {
    path: PathBuf,
    partial: PathBuf,
    options: BackupOptions,
    /// The file that is to be replaced, locked.
    replaced: Option<OsFile>,
}

impl Target {
    /// Takes the space for a copy of `size` bytes that is to be at `path`.
    pub(crate) fn create(
        path: &Path,
        size: u64,
        options: BackupOptions,
    ) -> Result<(Self, File), BackupError> {
        let path = real_path(path)?;
        let replaced = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(FileError::io(Operation::Create, 0, error).into()),
            Ok(_) if !options.replace => return Err(FileError::Exists.into()),
            Ok(_) => Some(OsFile::open(&path, Access::ReadWrite)?),
        };
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| BackupError::NoRandom(error.into()))?;
        let name = format!("{:016x}{SUFFIX}", u64::from_le_bytes(random));
        remove_leftovers(&path);
        let partial = path.with_file_name(prefix(&path) + &name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&partial)
            .map_err(|error| FileError::io(Operation::Create, 0, error))?;
        let target = Self {
            path,
            partial,
            options,
            replaced,
        };
        // So that nobody takes it for the leftover of a backup that was killed.
        file.lock()
            .map_err(|error| FileError::io(Operation::Lock, 0, error))?;
        reserve_room(&file, size)?;
        Ok((target, file))
    }

    /// Makes the copy durable, looks at all of it, and gives it its name.
    pub(crate) fn finish(mut self, moment: Arc<Moment>, size: u64) -> Result<Copied, BackupError> {
        let io = |error| FileError::io(Operation::Flush, 0, error);
        moment.out().sync_all().map_err(io)?;
        let expected = moment.sum();
        let found =
            sum_of(moment.out(), size).map_err(|error| FileError::io(Operation::Read, 0, error))?;
        if found != expected {
            return Err(BackupError::Checksum { expected, found });
        }
        // Another handle in this process cannot lock it otherwise. A lock that
        // stayed would be an error there; Wine reports one when it is gone.
        let _ = moment.out().unlock();
        let damaged = verify(&self.partial)?;
        if damaged > 0 && !self.options.accept_damage {
            return Err(BackupError::Damaged { items: damaged });
        }
        self.publish()?;
        Ok(Copied {
            bytes: size,
            crc32c: expected,
            damaged,
        })
    }

    fn publish(&mut self) -> Result<(), FileError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => FileError::Exists,
            _ => FileError::io(Operation::Create, 0, error),
        };
        match self.replaced {
            Some(_) => self.replace().map_err(failed)?,
            None => rename_to_new(&self.partial, &self.path).map_err(failed)?,
        }
        sync_folder_of(&self.path)
    }

    /// Takes the place of the old file, under its lock wherever a file can be
    /// replaced that is open: on Windows some file systems cannot, nor can
    /// Wine.
    fn replace(&mut self) -> io::Result<()> {
        match fs::rename(&self.partial, &self.path) {
            Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied => {
                self.replaced = None;
                fs::rename(&self.partial, &self.path)
            }
            renamed => renamed,
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It has its name, or it is of no use.
        let _ = fs::remove_file(&self.partial);
    }
}

/// Opens a copy for reading only, looks at all of it and returns how many
/// items are damaged.
fn verify(path: &Path) -> Result<u64, BackupError> {
    let memory = HostMemory::new();
    let mut store: HostStore<'_, HashIndex<'_>> = HostStore::open_on(
        path,
        &memory,
        Access::ReadOnly,
        Reads::Positioned,
        MediumChoice::File,
    )
    .map_err(BackupError::Unusable)?;
    let checked = store
        .check(&mut |_| {})
        .map_err(|error| BackupError::Unusable(crate::OpenError::Store(error)))?;
    Ok(checked.damaged)
}

/// Where a link leads, so that it stays one.
fn real_path(path: &Path) -> Result<PathBuf, FileError> {
    match fs::canonicalize(path) {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.file_name() {
            Some(_) => Ok(path.to_path_buf()),
            None => Err(FileError::NotRegular),
        },
        Err(error) => Err(FileError::io(Operation::Create, 0, error)),
    }
}

fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    format!(".{}.", name.to_string_lossy())
}

/// Removes what backups to the same path left that were killed: nobody holds
/// their locks. One that cannot be removed is in nobody's way.
fn remove_leftovers(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let prefix = prefix(path);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let middle = name
            .strip_prefix(&prefix)
            .and_then(|name| name.strip_suffix(SUFFIX));
        let ours = middle
            .is_some_and(|text| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        if ours
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Renames without replacing what has come to be there meanwhile.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Some file systems know no second names.
        Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}
