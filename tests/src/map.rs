//! Ordered maps as sorted vectors: what is kept in them here is short or comes
//! in order, and their code is small where it is downloaded.

use core::ops::Range;
use litemap::LiteMap;

/// An ordered map.
pub type Map<K, V> = LiteMap<K, V>;

/// Adds entries to a map, one after the other; collecting would sort, and bring
/// a sort's code for each kind of entry.
pub(crate) fn add<K: Ord, V>(map: &mut Map<K, V>, entries: impl IntoIterator<Item = (K, V)>) {
    for (key, value) in entries {
        map.insert(key, value);
    }
}

/// A map of entries.
pub(crate) fn of<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> Map<K, V> {
    let mut map = Map::new();
    add(&mut map, entries);
    map
}

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
