//! `export`: every key's value becomes a file.

use std::fs;
use std::io::Write;

use indelible_dax::Reads;

use super::folders;
use super::kv::each_piece;
use super::stores::walking;
use super::walk::each_key;
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
    walking(&args.store, Reads::Positioned, |stores| {
        if args.accept_damage {
            for store in stores.all_mut() {
                store.accept_damage()?;
            }
        }
        let stores = &*stores;
        if args.dir.is_file() {
            return Err(Failure::path(&args.dir, "a file; name a folder"));
        }
        fs::create_dir_all(&args.dir).map_err(|error| Failure::path(&args.dir, error))?;
        let mut folders = folders::Folders::new(&args.dir)?;
        let mut worst = None;
        let mut refuse = |key: &[u8], code: Code, reason: &dyn std::fmt::Display| {
            complain(&format!("{}: {reason}; not exported", escaped(key)));
            worst = worst.max(Some(code));
        };
        let walked = each_key(stores.all(), &prefix, |store, entry| {
            let key = entry.key;
            if let Err(reason) = check_name(key).and_then(|()| folders::check_name(key)) {
                refuse(key, Code::Io, &reason);
                return Ok(());
            }
            // With a file `a` there can be no folder `a`.
            for slash in (0..key.len()).filter(|at| key[*at] == b'/') {
                // Where damage makes it doubtful there is no file either.
                let above = stores.of(&key[..slash]).contains(&key[..slash]);
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
