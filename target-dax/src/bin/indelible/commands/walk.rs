//! Keys in order, from one store or from the shards of one.

use std::collections::BTreeMap;

use indelible_dax::host::{HostIndex, StoreError};
use indelible_dax::indelible::{Entry, Error, Scan, ScanSlot};
use indelible_dax::{AnyMedium, HostStore};

use crate::failure::{Failure, Outcome};

/// Calls `visit` for each key that begins with `prefix`, in order, with the
/// store that it lies in, and goes on past damage. What was damaged is the
/// failure in the end.
pub fn each_key<'a, I: HostIndex<'a>>(
    stores: &[HostStore<'a, I>],
    prefix: &[u8],
    mut visit: impl FnMut(&HostStore<'a, I>, Entry<'_>) -> Outcome,
) -> Outcome {
    let mut slots: Vec<_> = stores.iter().map(HostStore::scan_slots).collect();
    let walks = stores.iter().zip(&mut slots);
    let mut walks: Vec<_> = walks
        .map(|(store, slots)| Walk::new(store, prefix, slots))
        .collect();
    match (stores, walks.as_mut_slice()) {
        ([store], [walk]) => {
            while let Some(entry) = walk.next()? {
                visit(store, entry)?;
            }
        }
        _ => merged(stores, &mut walks, visit)?,
    }
    let damage = walks.into_iter().find_map(|walk| walk.damage);
    damage.map_or(Ok(()), |error| Err(error.into()))
}

/// Always the first of the walks' next keys.
fn merged<'a, I: HostIndex<'a>>(
    stores: &[HostStore<'a, I>],
    walks: &mut [Walk<'_, 'a, I>],
    mut visit: impl FnMut(&HostStore<'a, I>, Entry<'_>) -> Outcome,
) -> Outcome {
    // No key is in two shards, whatever a damaged one may say.
    let mut next = BTreeMap::new();
    let mut take = |number: usize, next: &mut BTreeMap<_, u64>| {
        if let Some(entry) = walks[number].next()? {
            next.insert((entry.key.to_vec(), number), entry.value_len);
        }
        Ok::<_, Failure>(())
    };
    for number in 0..stores.len() {
        take(number, &mut next)?;
    }
    while let Some(((key, number), value_len)) = next.pop_first() {
        let key = key.as_slice();
        visit(&stores[number], Entry { key, value_len })?;
        take(number, &mut next)?;
    }
    Ok(())
}

/// A walk through one store.
struct Walk<'s, 'a, I: HostIndex<'a>> {
    scan: Scan<'s, 'a, AnyMedium, I>,
    key: Vec<u8>,
    /// What was met last.
    damage: Option<StoreError>,
}

impl<'s, 'a, I: HostIndex<'a>> Walk<'s, 'a, I> {
    fn new(store: &'s HostStore<'a, I>, prefix: &'s [u8], slots: &'s mut [ScanSlot]) -> Self {
        Self {
            scan: store.scan_in(prefix, slots),
            key: vec![0; store.key_max().max(1)],
            damage: None,
        }
    }

    fn next(&mut self) -> Outcome<Option<Entry<'_>>> {
        loop {
            match self.scan.next(&mut self.key) {
                Ok(Some(entry)) => {
                    // The key stands where the buffer begins.
                    let (len, value_len) = (entry.key.len(), entry.value_len);
                    let key = &self.key[..len];
                    return Ok(Some(Entry { key, value_len }));
                }
                Ok(None) => return Ok(None),
                // The same again would come for ever.
                Err(error @ (Error::Corrupt { .. } | Error::Doubtful { .. }))
                    if self.damage.as_ref().is_none_or(|met| !same(met, &error)) =>
                {
                    self.damage = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn same(a: &StoreError, b: &StoreError) -> bool {
    match (a, b) {
        (Error::Corrupt { at: a, .. }, Error::Corrupt { at: b, .. })
        | (Error::Doubtful { at: a }, Error::Doubtful { at: b }) => a == b,
        _ => false,
    }
}
