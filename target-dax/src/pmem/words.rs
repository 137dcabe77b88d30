//! Stores of whole words.

/// Stores bytes so that each aligned 8-byte word changes at once: a cache line
/// may be written back between any two stores, and half a word is what the
/// crash contract rules out.
///
/// # Safety
/// The aligned words that hold `bytes.len()` bytes from `to` must be mapped
/// for writing and borrowed by nobody.
#[inline]
pub(super) unsafe fn store(to: *mut u8, bytes: &[u8]) {
    let skew = to as usize % 8;
    let head = if skew == 0 {
        0
    } else {
        bytes.len().min(8 - skew)
    };
    let (first, rest) = bytes.split_at(head);
    // SAFETY: `to - skew` and all words from there on are aligned, and those
    // that hold a byte of the range are what the caller vouches for.
    unsafe {
        if head > 0 {
            store_piece(to.wrapping_sub(skew).cast(), skew, first);
        }
        let mut word: *mut u64 = to.wrapping_add(head).cast();
        let (words, last) = rest.as_chunks::<8>();
        for bytes in words {
            word.write_volatile(u64::from_ne_bytes(*bytes));
            word = word.wrapping_add(1);
        }
        if !last.is_empty() {
            store_piece(word, 0, last);
        }
    }
}

/// Stores a piece of a word by storing the word with the piece in it.
///
/// # Safety
/// `word` must be aligned, mapped for writing and borrowed by nobody.
#[inline]
unsafe fn store_piece(word: *mut u64, from: usize, piece: &[u8]) {
    // SAFETY: as the caller vouches.
    unsafe {
        let mut bytes = word.read_volatile().to_ne_bytes();
        for (byte, new) in bytes.iter_mut().skip(from).zip(piece) {
            *byte = *new;
        }
        word.write_volatile(u64::from_ne_bytes(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_piece_of_memory_is_stored_and_nothing_beside_it() {
        let mut memory = vec![0u64; 512];
        let begin: *mut u8 = memory.as_mut_ptr().cast();
        let source: Vec<u8> = (1..=250).collect();
        for at in 0..40 {
            for len in 0..60 {
                let mut expected = vec![0; 4096];
                expected[at..at + len].copy_from_slice(&source[..len]);
                // SAFETY: words 0 to 13 are inside `memory`, which nothing
                // else refers to while `store` runs.
                let found = unsafe {
                    store(begin.add(at), &source[..len]);
                    std::slice::from_raw_parts(begin, 4096).to_vec()
                };
                assert!(found == expected, "{len} bytes at {at}");
                memory.fill(0);
            }
        }
    }
}
