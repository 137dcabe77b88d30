//! `backup` and `restore`.

use std::path::Path;

use indelible_dax::backup::{self, Copied};
use indelible_dax::{BackupOptions, Reads};

use super::stores::{Stores, opened};
use crate::args::{Backup, Restore};
use crate::failure::{Failure, Outcome};
use crate::output::{Output, complain};

pub fn backup(args: Backup) -> Outcome {
    let options = BackupOptions {
        replace: args.force,
        accept_damage: args.accept_damage,
    };
    // An unreadable page is an error, not the end of the process.
    refuse_same(&args.store, &args.file)?;
    let copied = opened(&args.store, Reads::Positioned, |stores| {
        let copied = match stores {
            Stores::One(store) => store.backup_as(&args.file, options),
            Stores::Shards(shards) => shards.backup_as(&args.file, options),
        };
        copied.map_err(|error| Failure::copy(&args.store, &args.file, error))
    })?;
    tell(copied)
}

/// A store is no copy of itself; its lock would be blamed on someone else.
fn refuse_same(from: &Path, to: &Path) -> Outcome {
    match (from.canonicalize(), to.canonicalize()) {
        (Ok(one), Ok(other)) if one == other => Err(Failure::usage(format_args!(
            "{}: store and copy are the same",
            to.display()
        ))),
        // What is wrong with either is told by what opens them.
        _ => Ok(()),
    }
}

pub fn restore(args: Restore) -> Outcome {
    let options = BackupOptions {
        replace: args.force,
        accept_damage: args.accept_damage,
    };
    refuse_same(&args.file, &args.store)?;
    let copied = backup::restore(&args.file, &args.store, options)
        .map_err(|error| Failure::copy(&args.file, &args.store, error))?;
    tell(copied)
}

fn tell(copied: Copied) -> Outcome {
    if copied.damaged > 0 {
        complain(&format!(
            "{} damaged, as in the original",
            super::count(copied.damaged, "item is", "items are")
        ));
    }
    let mut output = Output::new();
    output.line(shown(copied))?;
    output.flush()
}

/// Size and checksum.
pub(super) fn shown(copied: Copied) -> String {
    format!("{} bytes, CRC-32C {:08x}", copied.bytes, copied.crc32c)
}
