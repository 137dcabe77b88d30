//! `create`.

use std::io::ErrorKind;

use indelible_dax::{FileError, OpenError, Setup, ShardedOpenError, ShardedSetup, file};

use super::choice;
use crate::args::{Create, Media};
use crate::failure::{Failure, Outcome};

/// More logs than any store holds: what the core refuses by name is refused
/// here before it takes memory.
const LOGS_MAX: u64 = 1 << 16;

pub fn run(args: Create) -> Outcome {
    if let Some(shards) = args.shards {
        return sharded(&args, shards);
    }
    let geometry = match args.media {
        Media::File => {
            if args.write_unit.is_some() || args.erase_unit.is_some() {
                return Err(Failure::usage(
                    "--write-unit and --erase-unit describe flash; add --media nor",
                ));
            }
            file::geometry(args.size)
        }
        Media::Nor => file::nor_geometry(
            args.size,
            args.write_unit.unwrap_or(4),
            args.erase_unit.unwrap_or(4096),
        ),
    };
    if args
        .logs
        .iter()
        .map(|(count, _)| u64::from(*count))
        .sum::<u64>()
        > LOGS_MAX
    {
        return Err(Failure::usage("that many logs do not fit into any store"));
    }
    let logs: Vec<u64> = args
        .logs
        .iter()
        .flat_map(|(count, capacity)| std::iter::repeat_n(*capacity, *count as usize))
        .collect();
    let mut setup = Setup::image(geometry).logs(&logs).medium(choice());
    if let Some(size) = args.segment_size {
        setup = setup.segment_size(size);
    }
    if let Some(size) = args.grows_to {
        setup = setup.grows_to(size);
    }
    if let Some(id) = args.id {
        setup = setup.id(id);
    }
    setup
        .create(&args.store)
        .map_err(|error| Failure::create(&args.store, error))?;
    Ok(())
}

/// A folder of shards, each of the size.
fn sharded(args: &Create, shards: usize) -> Outcome {
    let setup = ShardedSetup::new(shards, args.size).grows_to(args.grows_to.unwrap_or(0));
    setup.create(&args.store).map_err(|error| match error {
        ShardedOpenError::Shard(_, error) => Failure::create(&args.store, error),
        ShardedOpenError::Count(_) => Failure::usage(error),
        ShardedOpenError::Folder(error) if error.kind() == ErrorKind::AlreadyExists => {
            Failure::create(&args.store, OpenError::File(FileError::Exists))
        }
        error => Failure::shards(&args.store, error),
    })
}
