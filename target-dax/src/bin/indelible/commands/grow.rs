//! `grow`.

use indelible_dax::indelible::{Error, GeometryError};

use super::writing;
use crate::args::Grow;
use crate::failure::{Failure, Outcome};

pub fn run(args: Grow) -> Outcome {
    writing(&args.store, |store| {
        let layout = store.layout();
        let grown = store.grow(args.size).map(drop);
        grown.map_err(|error| {
            let hint = match &error {
                Error::Geometry(GeometryError::Capacity { .. }) => {
                    format!(
                        "; it has {} bytes, and only grows",
                        layout.geometry.capacity
                    )
                }
                Error::Geometry(GeometryError::TooLarge { .. }) => {
                    "; export to a new store, made with --grows-to".to_string()
                }
                Error::Geometry(GeometryError::Segments { segment_size, .. }) => {
                    let below = args.size - args.size % u64::from(*segment_size);
                    let above = below.saturating_add((*segment_size).into());
                    format!("; {below} and {above} are")
                }
                Error::Geometry(_) => String::new(),
                _ => return Failure::from(error).about(args.store.display()),
            };
            Failure::usage(format_args!("{}: {error}{hint}", args.store.display()))
        })
    })
}
