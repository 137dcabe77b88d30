//! Ordered maps as sorted vectors: what is kept in them here is short or comes
//! in order, and their code is small where it is downloaded.

use core::ops::Range;
use litemap::LiteMap;

/// An ordered map.
pub type Map<K, V> = LiteMap<K, V>;

/// The places in a map of its keys in a range.
pub(crate) fn within<V>(map: &Map<u64, V>, keys: Range<u64>) -> Range<usize> {
    let place = |key: &u64| map.find_index(key).unwrap_or_else(|place| place);
    place(&keys.start)..place(&keys.end)
}

/// The keys of a map in a range.
pub(crate) fn keys_within<V>(map: &Map<u64, V>, keys: Range<u64>) -> Vec<u64> {
    let entries = map.as_slice().get(within(map, keys)).unwrap_or_default();
    entries.iter().map(|(key, _)| *key).collect()
}
