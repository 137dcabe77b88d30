//! A file that is none: for tests of what runs over one.

use std::io;
use std::ops::Range;

use super::{RawFile, Syncer};

/// The bytes of a file in memory. Nothing is ever durable in it; below a
/// [`Recorder`](super::Recorder), or opened on what a crash left, it takes the
/// place of a disk.
///
/// ```
/// use indelible_dax::file::{self, FileMedium, MemoryFile};
/// use indelible_dax::{Access, SharedStore, indelible::HashIndex};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("store");
/// # indelible_dax::Setup::new(1 << 20).create(&path)?;
/// let image = std::fs::read(&path)?;
/// let geometry = file::geometry(image.len() as u64);
/// let store: SharedStore<HashIndex<'_>, _> = SharedStore::open_with(|| {
///     FileMedium::over(MemoryFile::new(image.clone()), geometry, Access::ReadWrite)
/// })?;
/// store.put(b"key", b"value")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryFile {
    bytes: Vec<u8>,
    syncer: Option<Syncer>,
}

impl MemoryFile {
    /// A file that holds `bytes`, whose syncs do nothing.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let syncer = None;
        Self { bytes, syncer }
    }

    /// A file whose syncs are `syncer`: they take time, or fail.
    #[must_use]
    pub fn with_syncer(bytes: Vec<u8>, syncer: Syncer) -> Self {
        let syncer = Some(syncer);
        Self { bytes, syncer }
    }

    /// What it holds.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn range(&self, at: u64, len: usize) -> io::Result<Range<usize>> {
        let begin = usize::try_from(at).ok();
        let range = begin.and_then(|begin| Some(begin..begin.checked_add(len)?));
        range
            .filter(|range| range.end <= self.bytes.len())
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl RawFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        buf.copy_from_slice(&self.bytes[self.range(at, buf.len())?]);
        Ok(())
    }

    fn view(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let range = self.range(at, bytes.len())?;
        self.bytes[range].copy_from_slice(bytes);
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.syncer.as_ref().map_or(Ok(()), Syncer::sync)
    }

    fn resize(&mut self, from: u64, to: u64, blank: u8) -> io::Result<()> {
        let failed = |_| io::ErrorKind::StorageFull;
        let (from, to) = (
            usize::try_from(from).map_err(failed)?,
            usize::try_from(to).map_err(failed)?,
        );
        self.bytes.truncate(from);
        self.bytes.resize(to, blank);
        Ok(())
    }

    fn syncer(&self) -> Option<Syncer> {
        self.syncer.clone()
    }
}
