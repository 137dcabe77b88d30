//! Folders by their paths, each held open while files are made in it: a
//! handle that does not share deletion keeps a folder from being renamed or
//! replaced by a link.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_SHARE_READ, FILE_SHARE_WRITE,
};

use crate::failure::{Failure, Outcome};
use crate::text::escaped;

/// Names that lead to devices, with or without an extension.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// Whether every part of a key is a name that a file can have here. What
/// Windows would take for another name, a device or another folder is refused.
pub fn check_name(key: &[u8]) -> Result<(), &'static str> {
    let Ok(key) = str::from_utf8(key) else {
        return Err("the key is no valid text, which names of files are here");
    };
    for part in key.split('/') {
        let special = |c: char| c < ' ' || "\\:*?\"<>|".contains(c);
        if part.contains(special) {
            return Err("the key holds a character that no name of a file has here");
        }
        if part.ends_with(['.', ' ']) {
            return Err("a part of the key ends in a dot or a space, which no name here keeps");
        }
        if is_device(part) {
            return Err("a part of the key is the name of a device");
        }
    }
    Ok(())
}

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_uppercase();
    let numbered = |prefix| {
        let number: Option<&str> = stem.strip_prefix(prefix);
        // The superscripts count as digits.
        number.is_some_and(|number| {
            let mut digits = number.chars();
            let digit = digits.next();
            digits.next().is_none() && digit.is_some_and(|d| "0123456789¹²³".contains(d))
        })
    };
    DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

/// The folder exported to, and the chain of folders of the last key: keys
/// come in order, so the next one shares most of it.
pub struct Folders {
    root: PathBuf,
    chain: Vec<(String, File)>,
    /// Files written, by what the system tells them by: names that differ in
    /// case alone, and links, lead to the same.
    written: HashSet<(u64, u64)>,
    /// The last of them.
    last: (u64, u64),
}

impl Folders {
    pub fn new(root: &Path) -> Outcome<Self> {
        // Absolute, with which names may be longer than 260 characters.
        let root = fs::canonicalize(root).map_err(|error| Failure::path(root, error))?;
        Ok(Self {
            root,
            chain: Vec::new(),
            written: HashSet::new(),
            last: (0, 0),
        })
    }

    /// The path of a key, with its folders made and held.
    fn enter(&mut self, key: &[u8]) -> Result<PathBuf, String> {
        let key = str::from_utf8(key).map_err(|error| error.to_string())?;
        let mut parts: Vec<&str> = key.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        let shared = self
            .chain
            .iter()
            .zip(&parts)
            .take_while(|((a, _), b)| a == *b)
            .count();
        self.chain.truncate(shared);
        let mut path = self.root.clone();
        path.extend(&parts[..shared]);
        for part in &parts[shared..] {
            path.push(part);
            let failed =
                |error: io::Error| format!("folder `{}`: {error}", escaped(part.as_bytes()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed(error));
                }
                _ => {}
            }
            let folder = File::options()
                .read(true)
                .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
                .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
                .open(&path)
                .map_err(failed)?;
            if !folder.metadata().map_err(failed)?.is_dir() {
                return Err(format!(
                    "`{}` is a symlink or a file, not a folder",
                    escaped(part.as_bytes())
                ));
            }
            self.chain.push(((*part).to_string(), folder));
        }
        path.push(name);
        Ok(path)
    }

    /// Creates or empties a key's file.
    pub fn create(&mut self, key: &[u8]) -> Result<File, String> {
        let path = self.enter(key)?;
        let text = |error: io::Error| error.to_string();
        if fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir()) {
            return Err("a folder is in its place".to_string());
        }
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
            .open(&path)
            .map_err(text)?;
        let kind = file.metadata().map_err(text)?.file_type();
        if kind.is_symlink() {
            return Err("a symlink is in its place".to_string());
        }
        if !kind.is_file() {
            return Err("no regular file is in its place".to_string());
        }
        let about = winapi_util::file::information(&file).map_err(text)?;
        self.last = (about.volume_serial_number(), about.file_index());
        if !self.written.insert(self.last) {
            return Err("an earlier key has its file, for case alone tells none apart".to_string());
        }
        file.set_len(0).map_err(text)?;
        Ok(file)
    }

    /// Removes a key's file, which [`Folders::create`] made.
    pub fn remove(&mut self, key: &[u8]) {
        if let Ok(path) = self.enter(key) {
            // It was just created; what fails here failed before.
            let _ = fs::remove_file(path);
            // What tells it may now tell another.
            self.written.remove(&self.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "a", "a/b.txt", "ä/ö", "console", "com", "com10", "nul_", ".hidden", "a b",
        ] {
            assert_eq!(check_name(name.as_bytes()), Ok(()), "{name}");
        }
        for name in [
            "c:", "c:\\x", "..\\x", "a\\b", "a:stream", "nul", "NUL.txt", "a/con", "com1",
            "LPT9.x", "com¹", "x.", "x ", "a/.. /b", "a*", "a\n", "nul .txt",
        ] {
            assert!(check_name(name.as_bytes()).is_err(), "{name}");
        }
        assert!(check_name(b"\xff").is_err());
    }
}
