//! Walking over keys while writers go on.

use std::collections::{BTreeSet, VecDeque};

use indelible::{Committed, Error, ScanSlot};

use super::{SharedError, SharedStore};
use crate::HostMedium;
use crate::host::{HostIndex, HostStore, StoreError, read_value};

/// Keys of a page, by the kind of the index.
const ORDERED_PAGE: usize = 256;
const HASHED_PAGE: usize = 1 << 16;

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Keys and values in order: see [`SharedStore::scan`]. Each page is of one
/// moment: a key that is there all the time is seen once, with a value that it
/// had meanwhile. What is damaged is told in its place, and the walk goes on.
pub struct SharedScan<I: HostIndex<'static>, M: HostMedium> {
    store: SharedStore<I, M>,
    prefix: Vec<u8>,
    page: VecDeque<Result<Pair, SharedError>>,
    /// What keys of the next page come behind.
    last: Option<Vec<u8>>,
    ended: bool,
}

/// The keys of a page, with what was met on the way.
#[derive(Default)]
struct Keys {
    keys: BTreeSet<Vec<u8>>,
    damages: Vec<StoreError>,
    ended: bool,
}

impl<I: HostIndex<'static>, M: HostMedium> SharedScan<I, M> {
    pub(super) fn new(store: SharedStore<I, M>, prefix: &[u8]) -> Self {
        Self {
            store,
            prefix: prefix.to_vec(),
            page: VecDeque::new(),
            last: None,
            ended: false,
        }
    }

    fn read_page(&mut self) -> Result<(), SharedError> {
        let (prefix, last) = (&self.prefix, self.last.as_deref());
        let (keys, pairs) = self.store.inner.with(|store| {
            let keys = keys_behind(store, prefix, last)?;
            let view = store.committed();
            let pairs = keys.keys.iter().filter_map(|key| pair(&view, key));
            let pairs: VecDeque<_> = pairs.collect();
            Ok::<_, StoreError>((keys, pairs))
        })??;
        self.ended = keys.ended;
        self.page = pairs;
        self.page
            .extend(keys.damages.into_iter().map(|damage| Err(damage.into())));
        self.last = keys.keys.into_iter().next_back().or(self.last.take());
        Ok(())
    }
}

impl<I: HostIndex<'static>, M: HostMedium> Iterator for SharedScan<I, M> {
    type Item = Result<Pair, SharedError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(pair) = self.page.pop_front() {
                return Some(pair);
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.read_page() {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }
}

/// A key with the value that is committed, if it has one.
fn pair<I: HostIndex<'static>, M: HostMedium>(
    view: &Committed<'_, 'static, M, I>,
    key: &[u8],
) -> Option<Result<Pair, SharedError>> {
    match read_value(|buf| view.get(key, buf)) {
        Ok(value) => value.map(|value| Ok((key.to_vec(), value))),
        Err(error) => Some(Err(error.into())),
    }
}

/// The keys of a page behind `last`: those that are there, and those that a
/// transaction deletes which is not durable.
fn keys_behind<I: HostIndex<'static>, M: HostMedium>(
    store: &HostStore<'static, I, M>,
    prefix: &[u8],
    last: Option<&[u8]>,
) -> Result<Keys, StoreError> {
    let limit = if I::ORDERED {
        ORDERED_PAGE
    } else {
        HASHED_PAGE
    };
    let mut slots = match I::ORDERED {
        true => Vec::new(),
        false => vec![ScanSlot::default(); limit + 1],
    };
    let mut found = Keys::default();
    let mut key = vec![0; store.key_max()];
    let mut scan = store.scan_in(prefix, &mut slots);
    if let Some(last) = last {
        scan.seek(last);
    }
    while found.keys.len() < limit && !found.ended {
        match scan.next(&mut key) {
            Ok(Some(entry)) if Some(entry.key) == last => {}
            Ok(Some(entry)) => drop(found.keys.insert(entry.key.to_vec())),
            Ok(None) => found.ended = true,
            Err(damage @ (Error::Corrupt { .. } | Error::Doubtful { .. })) => {
                found.damages.push(damage);
            }
            Err(error) => return Err(error),
        }
    }
    let end = found.keys.last().filter(|_| !found.ended).cloned();
    store.committed().changed(&mut key, &mut |key| {
        let behind = last.is_none_or(|last| key > last);
        let before = end.as_deref().is_none_or(|end| key < end);
        if key.starts_with(prefix) && behind && before {
            found.keys.insert(key.to_vec());
        }
    })?;
    Ok(found)
}
