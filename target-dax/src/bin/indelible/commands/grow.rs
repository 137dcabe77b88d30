//! `grow`.

use std::path::Path;

use indelible_dax::ShardedStore;
use indelible_dax::host::StoreError;
use indelible_dax::indelible::{Error, GeometryError};
use indelible_dax::shared::sharded::is_sharded;

use super::choice;
use super::stores::writing;
use crate::args::Grow;
use crate::failure::{Failure, Outcome};

pub fn run(args: Grow) -> Outcome {
    if is_sharded(&args.store) {
        return shards(&args);
    }
    writing(&args.store, |store| {
        let before = store.layout().geometry.capacity;
        let grown = store.grow(args.size).map(drop);
        grown.map_err(|error| refused(&args.store, &error, args.size, before))
    })
}

/// Each shard to the size that was asked for.
fn shards(args: &Grow) -> Outcome {
    let path = &args.store;
    let about = |error| Failure::from(error).about(path.display());
    let opened = ShardedStore::open_on(path, choice());
    let store: ShardedStore = opened.map_err(|error| Failure::shards(path, error))?;
    let before = store.sizes().map_err(about)?;
    // The smallest is what there is to grow from.
    let before = before.into_iter().min().unwrap_or(0);
    let grown = store.grow(args.size).map_err(|error| match error.store() {
        Some(error) => refused(path, error, args.size, before),
        None => about(error),
    });
    let closed = store.close().map_err(about);
    grown.and(closed)
}

fn refused(path: &Path, error: &StoreError, size: u64, before: u64) -> Failure {
    let hint = match error {
        Error::Geometry(GeometryError::Capacity { .. }) => {
            format!("; it has {before} bytes, and only grows")
        }
        Error::Geometry(GeometryError::TooLarge { .. }) => {
            "; export to a new store, made with --grows-to".to_string()
        }
        Error::Geometry(GeometryError::Segments { segment_size, .. }) => {
            let below = size - size % u64::from(*segment_size);
            let above = below.saturating_add((*segment_size).into());
            format!("; {below} and {above} are")
        }
        Error::Geometry(_) => String::new(),
        _ => return Failure::from(error).about(path.display()),
    };
    Failure::usage(format_args!("{}: {error}{hint}", path.display()))
}
