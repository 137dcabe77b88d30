//! The folder that a copy in several files becomes: under a name of its own
//! until all of them are whole, durable and verified.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::file::{FileError, Operation, sync_folder_of};

/// Who has it locked is making the copy.
const LOCK: &str = "lock";

/// A folder that is not there yet; the drop of one that was not finished
/// removes what it holds.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    partial: PathBuf,
    lock: Option<File>,
    published: bool,
}

impl Folder {
    /// Makes the folder that is to be at `path`. What a copy to the same path
    /// left that was killed is removed.
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        let failed = |error| FileError::io(Operation::Create, 0, error);
        if fs::symlink_metadata(path).is_ok() {
            return Err(FileError::Exists);
        }
        let Some(name) = path.file_name() else {
            return Err(FileError::NotRegular);
        };
        let partial = path.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        match fs::create_dir(&partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(failed)?,
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(partial.join(LOCK))
            .map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => FileError::Locked,
            TryLockError::Error(error) => FileError::io(Operation::Lock, 0, error),
        })?;
        let folder = Self {
            path: path.to_path_buf(),
            partial,
            lock: Some(lock),
            published: false,
        };
        for entry in fs::read_dir(&folder.partial).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() != LOCK {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(folder)
    }

    /// Where its files are while it is made.
    pub(crate) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Gives it its name, with the files in it, which are durable. It is locked
    /// until then: another copy to the same path would empty it.
    pub(crate) fn publish(mut self) -> Result<(), FileError> {
        let failed = |error| FileError::io(Operation::Create, 0, error);
        if cfg!(windows) {
            // No folder is renamed there in which a file is open.
            self.lock = None;
        }
        // A folder takes the place of none but an empty one.
        fs::rename(&self.partial, &self.path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists
            | io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::NotADirectory => FileError::Exists,
            _ => failed(error),
        })?;
        self.published = true;
        let lock = self.path.join(LOCK);
        fs::remove_file(&lock).map_err(failed)?;
        sync_folder_of(&lock)?;
        sync_folder_of(&self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}
