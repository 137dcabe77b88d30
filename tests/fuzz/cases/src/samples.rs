//! Populated images, and what they hold.

use std::collections::BTreeMap;

use indelible::{Config, Geometry, Mode, Order, setup};

use crate::medium::{Image, Opened, open};

/// Bytes of a sample image.
const SAMPLE_LEN: usize = 32 << 10;

/// The geometries of the sample images, and those tried on raw ones.
pub const GEOMETRIES: [Geometry; 3] = [
    Geometry {
        capacity: SAMPLE_LEN as u64,
        write_unit: 1,
        erase_unit: 512,
        blank: 0,
        order: Order::Unordered,
    },
    Geometry {
        capacity: SAMPLE_LEN as u64,
        write_unit: 4,
        erase_unit: 1024,
        blank: 0xFF,
        order: Order::Ordered,
    },
    Geometry {
        capacity: SAMPLE_LEN as u64,
        write_unit: 32,
        erase_unit: 1024,
        blank: 0xFF,
        order: Order::Ordered,
    },
];

/// How many sample images there are: closed and unclosed of each geometry.
pub const SAMPLES: usize = 2 * GEOMETRIES.len();

/// Whether sample `n` was closed.
pub fn is_closed(n: usize) -> bool {
    n.is_multiple_of(2)
}

/// Image `n` of [`SAMPLES`]: keys, lists, logs, deletes, and some reclaiming.
///
/// # Panics
/// Where the core cannot make one: nothing was harmed yet.
pub fn sample(n: usize) -> Vec<u8> {
    let geometry = GEOMETRIES[n / 2 % GEOMETRIES.len()];
    let mut image = Image::new(vec![geometry.blank; SAMPLE_LEN], geometry);
    let config = Config {
        id: 1,
        nonce: 0x5EED + n as u64,
        segment_size: None,
        logs: &[1024, 2048],
    };
    setup(&mut image, &config).expect("a sample fits");
    open(&mut image, Mode::ReadWrite, |mut store, _| {
        for round in 0..6_u8 {
            for key in 0..16_u8 {
                store.put(&[b'k', b'0' + key], &vec![round; 3 * usize::from(key) + 5])?;
            }
            store.tentatively_list_append(b"k1", &[round; 20])?;
            store.tentatively_append(0, &[round; 50])?;
            store.tentatively_append(1, &[round; 70])?;
            store.commit()?;
            store.delete(&[b'k', b'0' + round])?;
            store.advance_head(0, u64::from(round) * 40)?;
        }
        store.put(b"large", &[7; 900])?;
        if is_closed(n) {
            store.close()?;
        }
        Ok(())
    })
    .expect("a sample can be filled");
    image.bytes
}

/// A value and a list.
type Item = (Vec<u8>, Vec<Vec<u8>>);

/// What a store holds.
pub struct Truth {
    items: BTreeMap<Vec<u8>, Item>,
    /// Head and bytes of each log.
    logs: Vec<(u64, Vec<u8>)>,
}

/// More than any value or element of a sample, and than any log.
const BUFFER: usize = 4096;
/// Bytes read from a log at a time.
const PIECE: usize = 64;

impl Truth {
    /// What sample `n` holds.
    ///
    /// # Panics
    /// Where an unharmed image cannot be read.
    pub fn of(n: usize) -> Self {
        let mut image = Image::new(sample(n), GEOMETRIES[n / 2]);
        let mut truth = Self {
            items: BTreeMap::new(),
            logs: Vec::new(),
        };
        open(&mut image, Mode::ReadOnly, |store, report| {
            assert_eq!((report.clean, report.damaged), (is_closed(n), 0));
            let mut key = vec![0; BUFFER];
            let mut scan = store.scan(b"");
            while let Some(entry) = scan.next(&mut key)? {
                let mut value = vec![0; BUFFER];
                let len = store.get(entry.key, &mut value)?;
                value.truncate(len.expect("what is scanned is there"));
                let mut list = Vec::new();
                for index in 0..store.list_len(entry.key)?.unwrap_or(0) {
                    let mut element = vec![0; BUFFER];
                    let len = store.list_read(entry.key, index, &mut element)?;
                    element.truncate(len.expect("a list is as long as it says"));
                    list.push(element);
                }
                truth.items.insert(entry.key.to_vec(), (value, list));
            }
            for log in 0..store.log_count() {
                let span = store.get_head_tail_and_capacity(log)?;
                let mut bytes = vec![0; (span.tail - span.head) as usize];
                store.read(log, span.head, &mut bytes)?;
                truth.logs.push((span.head, bytes));
            }
            Ok(())
        })
        .expect("nothing was harmed yet");
        truth
    }

    /// Compares it with what a store shows that was harmed: every answer is
    /// right, or an error.
    ///
    /// # Panics
    /// Where one is wrong.
    pub fn judge(&self, store: &Opened<'_>) {
        self.judge_scan(store);
        let mut buf = vec![0; BUFFER];
        for (key, (value, list)) in &self.items {
            let name = key.escape_ascii();
            match store.get(key, &mut buf) {
                Ok(Some(len)) => assert_eq!(buf[..len], **value, "the value of {name}"),
                Ok(None) => panic!("{name} is gone without a word"),
                Err(_) => {}
            }
            match store.list_len(key) {
                Ok(len) => assert_eq!(len, Some(list.len() as u64), "the list of {name}"),
                Err(_) => continue,
            }
            for (index, element) in list.iter().enumerate() {
                match store.list_read(key, index as u64, &mut buf) {
                    Ok(Some(len)) => assert_eq!(buf[..len], **element, "{name}[{index}]"),
                    Ok(None) => panic!("{name}[{index}] is gone without a word"),
                    Err(_) => {}
                }
            }
        }
        for byte in 0..=u8::MAX {
            let key = [b'k', byte];
            if !self.items.contains_key(&key[..]) {
                let found = store.contains(&key);
                assert!(!matches!(found, Ok(true)), "k{byte:#04x} was deleted");
            }
        }
        for log in 0..self.logs.len() {
            self.judge_log(store, log);
        }
    }

    fn judge_scan(&self, store: &Opened<'_>) {
        let mut key = vec![0; BUFFER];
        let mut scan = store.scan(b"");
        let (mut count, mut whole) = (0, true);
        // Behind an error it goes on, though not for ever.
        for _ in 0..2 * self.items.len() + 16 {
            match scan.next(&mut key) {
                Ok(Some(entry)) => {
                    let known = self.items.contains_key(entry.key);
                    assert!(known, "a scan shows {}", entry.key.escape_ascii());
                    count += 1;
                }
                Ok(None) => break,
                Err(_) => whole = false,
            }
        }
        if whole {
            assert_eq!(count, self.items.len(), "keys are scanned");
        }
    }

    fn judge_log(&self, store: &Opened<'_>, log: usize) {
        let (head, bytes) = &self.logs[log];
        let span = match store.get_head_tail_and_capacity(log) {
            Ok(span) => span,
            Err(_) => return,
        };
        let tail = head + bytes.len() as u64;
        let mut buf = [0; PIECE];
        if (span.head, span.tail) != (*head, tail) {
            // What tells it was hit: then the log may not be read at its end.
            let read = store.read(log, span.tail.max(1) - 1, &mut buf[..1]);
            assert!(
                read.is_err(),
                "log {log} spans {span:?}, not {head}..{tail}"
            );
            return;
        }
        for (n, piece) in bytes.chunks(PIECE).enumerate() {
            let at = head + (n * PIECE) as u64;
            if store.read(log, at, &mut buf[..piece.len()]).is_ok() {
                assert_eq!(buf[..piece.len()], *piece, "log {log} at {at}");
            }
        }
    }
}
