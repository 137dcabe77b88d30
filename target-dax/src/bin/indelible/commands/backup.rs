//! `backup` and `restore`.

use indelible_dax::backup::{self, Copied};
use indelible_dax::{BackupOptions, Reads};

use super::opened;
use crate::args::{Backup, Restore};
use crate::failure::{Failure, Outcome};
use crate::output::{Output, complain};

pub fn backup(args: Backup) -> Outcome {
    let options = BackupOptions {
        replace: args.force,
        accept_damage: args.accept_damage,
    };
    // An unreadable page is an error, not the end of the process.
    let copied = opened(&args.store, Reads::Positioned, |store| {
        store
            .backup_as(&args.file, options)
            .map_err(|error| Failure::copy(&args.store, &args.file, error))
    })?;
    tell(copied)
}

pub fn restore(args: Restore) -> Outcome {
    let options = BackupOptions {
        replace: args.force,
        accept_damage: args.accept_damage,
    };
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
