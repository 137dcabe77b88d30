//! What the other shards of a transaction are to do, as it stands in the
//! leading shard's log.
//!
//! | bytes | field |
//! | --- | --- |
//! | 0..4 | length of all that follows |
//! | 4..8 | shards that take part, but for the leader |
//! | then, each | shard 4, changes 4, and the changes |
//! | each change | what 1, key length 4, data length 4, number 8, key, data |
//!
//! Little-endian. The log's own checksums cover it.

use indelible::Item;

use super::super::batch::{Batch, Change, What};
use super::INTENTS;
use crate::host::StoreError;

/// Bytes before the first shard.
const HEADER: usize = 8;

/// Writes down what all but the first of `parts` do.
pub(super) fn encode(parts: &[(usize, Batch)]) -> Vec<u8> {
    let others = parts.get(1..).unwrap_or_default();
    let mut bytes = vec![0; 4];
    put(&mut bytes, others.len());
    for (shard, batch) in others {
        put(&mut bytes, *shard);
        put(&mut bytes, batch.len());
        for change in batch.changes() {
            bytes.push(change.what as u8);
            put(&mut bytes, change.key.len());
            put(&mut bytes, change.data.len());
            bytes.extend_from_slice(&change.number.to_le_bytes());
            bytes.extend_from_slice(change.key);
            bytes.extend_from_slice(change.data);
        }
    }
    let len = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    bytes
}

fn put(bytes: &mut Vec<u8>, number: usize) {
    // Larger than a log can hold otherwise, so it is refused there.
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// What the others are to do by an intent, and where it ends.
pub(super) type Intent = (Vec<(usize, Batch)>, u64);

/// The intents of a log, given its head and its bytes from there, in a store of
/// so many shards.
pub(super) fn all(
    head: u64,
    bytes: &[u8],
    shards: usize,
) -> impl Iterator<Item = Result<Intent, StoreError>> {
    let mut rest = bytes;
    let mut at = head;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((parts, len)) = first(rest, shards) else {
            rest = &[];
            let item = Item::Log(INTENTS);
            return Some(Err(StoreError::Corrupt { item, at }));
        };
        rest = &rest[len..];
        at += len as u64;
        Some(Ok((parts, at)))
    })
}

/// The first of some intents, and its length.
fn first(bytes: &[u8], shards: usize) -> Option<(Vec<(usize, Batch)>, usize)> {
    let [a, b, c, d, ..] = *bytes.first_chunk::<HEADER>()?;
    let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
    let len = len.checked_add(4)?;
    let parts = decode(bytes.get(..len)?)?;
    let known = parts.iter().all(|(shard, _)| *shard < shards);
    known.then_some((parts, len))
}

/// What each shard is to do; `None` where it is not what [`encode`] writes.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<(usize, Batch)>> {
    let mut rest = bytes.get(4..)?;
    let mut parts = Vec::new();
    for _ in 0..number(&mut rest)? {
        let shard = number(&mut rest)?;
        let mut batch = Batch::new();
        for _ in 0..number(&mut rest)? {
            batch.push(change(&mut rest)?);
        }
        parts.push((shard, batch));
    }
    rest.is_empty().then_some(parts)
}

fn change<'b>(rest: &mut &'b [u8]) -> Option<Change<'b>> {
    let what = *take(rest, 1)?.first()?;
    let what = WHATS.into_iter().find(|it| *it as u8 == what)?;
    let (key, data) = (number(rest)?, number(rest)?);
    let number = u64::from_le_bytes(take(rest, 8)?.try_into().ok()?);
    let change = Change::new(what, take(rest, key)?, take(rest, data)?);
    Some(change.number(number))
}

/// What shards do for each other.
const WHATS: [What; 7] = [
    What::Put,
    What::Create,
    What::Update,
    What::Delete,
    What::ListAppend,
    What::ListUpdate,
    What::ListTrim,
];

fn number(rest: &mut &[u8]) -> Option<usize> {
    let bytes = take(rest, 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

fn take<'b>(rest: &mut &'b [u8], len: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut first = Batch::new();
        first.put(b"mine", b"alone");
        let mut second = Batch::new();
        second
            .put(b"a", b"1")
            .delete(b"b")
            .list_update(b"c", 7, b"element");
        let mut third = Batch::new();
        third
            .create(b"", &[9; 300])
            .update(b"d", b"")
            .list_trim(b"e", 1 << 40);
        let parts = [(0, first), (3, second), (9, third)];
        let bytes = encode(&parts);
        let (read, len) = super::first(&bytes, 10).unwrap();
        assert_eq!(len, bytes.len());
        // A shard that the store does not have.
        assert!(super::first(&bytes, 9).is_none());
        let shards: Vec<_> = read.iter().map(|(shard, _)| *shard).collect();
        assert_eq!(shards, [3, 9]);
        for ((_, read), (_, written)) in read.iter().zip(&parts[1..]) {
            assert_eq!(format!("{read:?}"), format!("{written:?}"));
        }
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_none());
        }
    }

    #[test]
    fn intents_come_one_behind_the_other_until_one_is_none() {
        let mut batch = Batch::new();
        batch.put(b"key", b"value");
        let one = encode(&[(0, Batch::new()), (1, batch)]);
        let mut log = one.repeat(2);
        log.extend([1, 0, 0]);
        let read: Vec<_> = all(100, &log, 2).collect();
        let len = one.len() as u64;
        let ends: Vec<_> = read.iter().flatten().map(|(_, end)| *end).collect();
        assert_eq!(ends, [100 + len, 100 + 2 * len]);
        let at_end = matches!(read[2], Err(StoreError::Corrupt { at, .. }) if at == 100 + 2 * len);
        assert!(at_end && read.len() == 3);
    }
}
