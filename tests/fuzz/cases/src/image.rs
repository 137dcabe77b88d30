//! Any bytes, opened as a store: nothing panics, nothing goes on for ever,
//! and a store opened for reading writes nothing.
//!
//! An input is either an image ([`raw`]) or changes to one of the sample
//! images ([`changed`]), told apart by the top bit of its first byte. The next
//! bit says whether the medium can be borrowed from.
//!
//! What one or two flipped bits do to a sample is known exactly: every answer
//! is right, or an error. More than that can by chance look like something
//! else, and here chance is led by the hand.
//!
//! No chance leads past a checksum of 32 bits, but whoever makes an image to
//! do harm computes them. So a third bit makes every such sum zero, in the
//! sample and in the store that opens it (under `cfg(fuzzing)` alone).

use std::sync::LazyLock;

use indelible::{Geometry, Mode};

use crate::medium::{Image, Opened, Outcome, open};
use crate::samples::{GEOMETRIES, SAMPLES, Truth, is_closed, sample};

/// Reads everything in every way. Errors are answers too.
fn read_all(store: &mut Opened<'_>) {
    let layout = store.layout();
    let mut key = vec![0; layout.key_max as usize];
    let mut buf = vec![0; 4096];
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for prefix in [&b""[..], b"k", b"\xFF"] {
        let mut scan = store.scan(prefix);
        let mut last: Option<Vec<u8>> = None;
        while let Ok(Some(entry)) = scan.next(&mut key) {
            assert!(entry.key.starts_with(prefix), "a scan left its prefix");
            assert!(last.as_deref() < Some(entry.key), "a scan went back");
            last = Some(entry.key.to_vec());
            if prefix.is_empty() {
                keys.push(entry.key.to_vec());
            }
        }
    }
    for key in &keys {
        let _ = store.get(key, &mut buf);
        let _ = store.contains(key);
        if let Ok(Some(len)) = store.value_len(key) {
            let _ = store.read_value(key, len.saturating_sub(9), &mut buf);
            let _ = store.read_value(key, len, &mut buf);
        }
        if let Ok(Some(len)) = store.list_len(key) {
            for index in (0..len.min(64)).chain([len, u64::MAX]) {
                let _ = store.list_read(key, index, &mut buf);
            }
        }
    }
    for log in 0..=layout.logs as usize {
        let Ok(span) = store.get_head_tail_and_capacity(log) else {
            continue;
        };
        assert!(span.head <= span.tail, "a log ends before it begins");
        let mut at = span.head;
        for _ in 0..64 {
            let len = (span.tail - at).min(buf.len() as u64);
            let _ = store.read(log, at, &mut buf[..len as usize]);
            at += len;
        }
        let _ = store.read(log, span.tail, &mut buf[..1]);
        let _ = store.read(log, span.head.wrapping_sub(1), &mut buf[..1]);
    }
    let _ = store.stats();
    let _ = store.check(&mut |_| {});
    for segment in 0..layout.segments.saturating_add(1) {
        let _ = store.segment_info(segment);
        let _ = store.inspect_segment(segment, &mut |_| {});
    }
}

/// Uses the store as its owner would.
fn write_some(store: &mut Opened<'_>) -> Outcome {
    let _ = store.put(b"k-written-after", b"value");
    let _ = store.delete(b"k1");
    let _ = store.tentatively_put(b"k2", &[1; 300]);
    let _ = store.tentatively_list_append(b"k2", b"element");
    let _ = store.tentatively_append(0, b"log");
    let _ = store.commit();
    let _ = store.tentatively_put(b"k3", b"given up");
    let _ = store.abort();
    for _ in 0..32 {
        if !store.maintain(4)?.more {
            break;
        }
    }
    for n in 0..64_u8 {
        store.put(&[b'n', n % 8], &[n; 200])?;
    }
    Ok(())
}

/// Opens an image, read-only and not, in turn, and does everything with it.
/// `truth` is what it must show, where that is known.
fn explore(mut image: Image, truth: Option<&Truth>) {
    let judge = |store: &Opened<'_>| {
        if let Some(truth) = truth {
            truth.judge(store);
        }
    };
    let _ = open(&mut image, Mode::ReadOnly, |mut store, _| {
        judge(&store);
        read_all(&mut store);
        let _ = store.put(b"k", b"refused");
        let _ = store.maintain(4);
        let _ = store.close();
        Ok(())
    });
    assert!(!image.written, "a store opened for reading wrote");
    let _ = open(&mut image, Mode::ReadWrite, |mut store, _| {
        judge(&store);
        read_all(&mut store);
        let outcome = write_some(&mut store);
        read_all(&mut store);
        store.close()?;
        outcome
    });
    let _ = open(&mut image, Mode::ReadWrite, |mut store, _| {
        read_all(&mut store);
        Ok(())
    });
}

/// The bits of an input's first byte.
const WHOLE: u8 = 0x80;
const MAPPED: u8 = 0x40;
const WEAK: u8 = 0x20;

/// An input that is this image.
pub fn raw(geometry: usize, image: &[u8]) -> Vec<u8> {
    let mut input = vec![WHOLE | geometry as u8];
    input.extend(image);
    input
}

/// An input that is these changes to a sample image; see [`change`].
pub fn changed(sample: usize, mapped: bool, changes: &[[u8; 4]]) -> Vec<u8> {
    let mut input = vec![sample as u8 | if mapped { MAPPED } else { 0 }];
    input.extend(changes.concat());
    input
}

/// An input that is these changes to a sample without checksums.
pub fn forged(sample: usize, mapped: bool, changes: &[[u8; 4]]) -> Vec<u8> {
    let mut input = changed(sample, mapped, changes);
    input[0] |= WEAK;
    input
}

/// Makes one change: where, what, and with which byte.
fn change(bytes: &mut [u8], [low, high, what, value]: [u8; 4]) {
    let at = usize::from(u16::from_le_bytes([low, high])) % bytes.len();
    let len = 1 << (what >> 4);
    let end = bytes.len().min(at + len);
    match what & 7 {
        FLIP => bytes[at] ^= 1 << (value & 7),
        1 => bytes[at] = value,
        2 => bytes[at..end].fill(value),
        3 => {
            let from = usize::from(value) * 128 % bytes.len();
            let end = (from + len).min(bytes.len()).min(from + bytes.len() - at);
            bytes.copy_within(from..end, at);
        }
        4 => bytes[at..end].reverse(),
        5 => bytes[at..end]
            .iter_mut()
            .for_each(|byte| *byte = byte.wrapping_add(value)),
        6 => bytes[at] &= value,
        _ => bytes[at] |= value,
    }
}

/// A change that flips one bit.
const FLIP: u8 = 0;

/// As [`change`], but three kinds of flips change whole words instead: a bit
/// of a frame's first word with its check bits, or all of a number.
fn forge(bytes: &mut [u8], part: [u8; 4]) {
    let [low, high, what, value] = part;
    let at = (usize::from(u16::from_le_bytes([low, high])) % bytes.len()) & !3;
    let Some(word) = bytes.get_mut(at..at + 4) else {
        return;
    };
    match what {
        0x10 => {
            word[usize::from(value >> 3) % 3] ^= 1 << (value & 7);
            word[3] = check_bits([word[0], word[1], word[2]]);
        }
        0x20 => word.copy_from_slice(&u32::from(value).to_le_bytes()),
        0x30 => word.copy_from_slice(&u32::from(value).wrapping_neg().to_le_bytes()),
        _ => change(bytes, part),
    }
}

/// The check bits of a frame's first word: CRC-8 of polynomial 0x2F.
fn check_bits(bytes: [u8; 3]) -> u8 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ byte, |sum, _| {
            (sum << 1) ^ if sum & 0x80 == 0 { 0 } else { 0x2F }
        })
    })
}

/// Makes every checksum of 32 bits zero, or real again.
fn weaken(weak: bool) -> bool {
    #[cfg(fuzzing)]
    indelible::checksum::fuzzing_weak(weak);
    cfg!(fuzzing) && weak
}

/// Does everything with one input.
///
/// # Panics
/// On every finding.
pub fn run(input: &[u8]) {
    static IMAGES: LazyLock<Vec<(Vec<u8>, Truth)>> =
        LazyLock::new(|| (0..SAMPLES).map(|n| (sample(n), Truth::of(n))).collect());
    static FORGED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| (0..SAMPLES).map(sample).collect());
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    weaken(false);
    let (images, which) = (&*IMAGES, usize::from(first & 0x1F));
    let weak = weaken(first & WEAK != 0);
    let whole = first & WHOLE != 0;
    let n = if whole { 2 * which } else { which } % SAMPLES;
    let geometry: Geometry = GEOMETRIES[n / 2];
    let mut image = Image::new(rest.to_vec(), geometry);
    let mut truth = None;
    if !whole {
        let (bytes, held) = &images[n];
        let bytes = if weak { &FORGED[n] } else { bytes };
        let (changes, _) = rest.as_chunks::<4>();
        image = Image::new(bytes.clone(), geometry);
        for part in changes {
            if weak {
                forge(&mut image.bytes, *part);
            } else {
                change(&mut image.bytes, *part);
            }
        }
        let flips = !weak && changes.iter().all(|part| part[2] & 7 == FLIP);
        truth = (is_closed(n) && flips && changes.len() <= 2).then_some(held);
    }
    image.mapped = first & MAPPED != 0;
    explore(image, truth);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_runs() {
        for seed in crate::seeds::image() {
            run(&seed);
        }
    }
}
