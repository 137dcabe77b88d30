//! The real memory on Windows: mapped views of files, on DAX volumes and on
//! all others.

use std::io;

use memmap2::{MmapOptions, MmapRaw};

use super::nonvolatile::{Token, is_dax};
use super::probed::Probed;
use super::{Persist, refused, size_of, words};
use crate::MediumKind;
use crate::file::{Access, FileError, NotDax, Operation, OsFile, RawFile, Reads};

/// A cache line of every processor that Windows runs on; the system sees to
/// those of a range itself.
const LINE: usize = 64;

/// What the system writes back at once where it does.
const PAGE: usize = 4096;

/// Ranges held at most until the next fence.
const RANGES_MAX: usize = 64;

/// A view of a file, mapped for as long as this lives, and locked.
#[derive(Debug)]
pub struct Mapping {
    /// Before the view: it is of no use after it.
    means: Means,
    view: MmapRaw,
    size: usize,
    line: usize,
    reads: Reads,
    access: Access,
    /// What calls have read; none where they would not read what was stored.
    probed: Probed,
    /// What failed since the last fence, which reports it.
    failed: Option<io::Error>,
    /// Holds the lock.
    file: OsFile,
}

/// How what was stored becomes durable.
#[derive(Debug)]
enum Means {
    /// On a DAX volume, by lines; without the token nothing can be changed.
    Lines(Option<Token>),
    /// Elsewhere by pages, these.
    Pages(Vec<(usize, usize)>),
}

impl Mapping {
    /// Maps a file on a DAX volume.
    ///
    /// # Errors
    /// [`FileError::NotDax`] where it lies on another, or where the system
    /// lacks the calls; and what the system reports.
    pub fn of_file(file: OsFile, access: Access, reads: Reads) -> Result<Self, FileError> {
        Self::probe(&file)?;
        let mut mapping = Self::map(file, access, reads, Means::Lines(None), LINE)?;
        if access == Access::ReadWrite {
            let failed = |source| FileError::io(Operation::Open, 0, source);
            // SAFETY: the view lives as long as the token, which is dropped
            // before it.
            let token = unsafe { Token::new(mapping.view.as_ptr(), mapping.size) };
            let token = token.map_err(failed)?;
            mapping.means = Means::Lines(Some(token.ok_or_else(|| refused(NotDax::Kernel))?));
            // What a killed process stored may still be in the caches alone,
            // and is read from there; nobody else knows which lines these are.
            mapping.write_back(0, mapping.size);
            mapping
                .fence()
                .map_err(|source| FileError::io(Operation::Flush, 0, source))?;
        }
        Ok(mapping)
    }

    /// Whether [`Mapping::of_file`] would be refused, and why.
    ///
    /// # Errors
    /// [`FileError::NotDax`].
    pub fn probe(file: &OsFile) -> Result<(), FileError> {
        match is_dax(file.file()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(refused(NotDax::FileSystem)),
            Err(source) => Err(FileError::NotDax {
                why: NotDax::FileSystem,
                source: Some(source),
            }),
        }
    }

    /// Maps a file on any volume.
    ///
    /// # Errors
    /// What the system reports.
    pub fn view(file: OsFile, access: Access) -> Result<Self, FileError> {
        let mapping = Self::map(file, access, Reads::Mapped, Means::Pages(Vec::new()), PAGE)?;
        if access == Access::ReadWrite {
            // What a killed process stored is in pages that the system has,
            // and need not be on the disk.
            let settled = mapping.view.flush_async_range(0, mapping.size);
            settled
                .and_then(|()| mapping.file.file().sync_data())
                .map_err(|source| FileError::io(Operation::Flush, 0, source))?;
        }
        Ok(mapping)
    }

    fn map(
        file: OsFile,
        access: Access,
        reads: Reads,
        means: Means,
        line: usize,
    ) -> Result<Self, FileError> {
        let size = size_of(&file)?;
        let mut options = MmapOptions::new();
        options.len(size);
        let view = match access {
            Access::ReadWrite => options.map_raw(file.file()),
            Access::ReadOnly => options.map_raw_read_only(file.file()),
        };
        Ok(Self {
            means,
            view: view.map_err(|source| FileError::io(Operation::Open, 0, source))?,
            size,
            line,
            reads,
            access,
            probed: Probed::new(size),
            failed: None,
            file,
        })
    }

    /// What the memory is.
    #[must_use]
    pub fn kind(&self) -> MediumKind {
        match self.means {
            Means::Lines(_) => MediumKind::FsDax,
            Means::Pages(_) => MediumKind::View,
        }
    }

    /// Bytes in place, whether they can be read or not: a page that the disk
    /// cannot read ends the process. `None` beyond the end.
    #[must_use]
    #[inline]
    pub fn borrow_unchecked(&self, at: usize, len: usize) -> Option<&[u8]> {
        if at.checked_add(len)? > self.size {
            return None;
        }
        // SAFETY: the range lies in the view, which lives as long as `self`;
        // whatever changes the memory in this process takes `&mut self`, and
        // the lock keeps other users of this crate from it. Windows lets
        // nobody cut a file that is mapped.
        Some(unsafe { std::slice::from_raw_parts(self.view.as_ptr().add(at), len) })
    }

    /// The address of `len` bytes that may be changed.
    #[inline]
    fn target(&mut self, at: usize, len: usize) -> *mut u8 {
        let end = at.checked_add(len);
        assert!(
            self.access == Access::ReadWrite && end.is_some_and(|end| end <= self.size),
            "{len} bytes at {at} of {} are not to be changed",
            self.size
        );
        self.view.as_mut_ptr().wrapping_add(at)
    }

    /// The file below, still locked.
    #[must_use]
    pub fn into_file(self) -> OsFile {
        self.file
    }
}

impl Persist for Mapping {
    fn size(&self) -> usize {
        self.size
    }

    #[inline]
    fn line(&self) -> usize {
        self.line
    }

    fn read(&self, at: usize, buf: &mut [u8]) -> io::Result<()> {
        if at.checked_add(buf.len()).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.reads == Reads::Positioned || self.probed.range(&self.file, at, buf.len()).is_err()
        {
            // Of a window that cannot be read, these bytes perhaps can.
            return self.file.read_through(at as u64, buf);
        }
        match self.borrow_unchecked(at, buf.len()) {
            Some(bytes) => buf.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    #[inline]
    fn borrow(&self, at: usize, len: usize) -> Option<&[u8]> {
        if self.reads == Reads::Positioned || at.checked_add(len)? > self.size {
            return None;
        }
        self.probed.range(&self.file, at, len).ok()?;
        self.borrow_unchecked(at, len)
    }

    #[inline]
    fn store(&mut self, at: usize, bytes: &[u8]) {
        let target = self.target(at, bytes.len());
        // SAFETY: the range is mapped for writing, in whole pages and so in
        // whole words, and `&mut self` means that nobody borrows it.
        unsafe { words::store(target, bytes) }
    }

    /// In the cache, for what the system says nothing of is what its drain
    /// does to stores past it.
    fn stream(&mut self, at: usize, bytes: &[u8]) {
        self.store(at, bytes);
        self.write_back(at, bytes.len());
    }

    fn write_back(&mut self, at: usize, len: usize) {
        let target = self.target(at, len);
        match &mut self.means {
            Means::Lines(Some(token)) => {
                // SAFETY: the range lies in the view, which is the token's.
                let flushed = unsafe { token.flush(target, len) };
                self.failed = flushed.err().or(self.failed.take());
            }
            Means::Lines(None) => {}
            Means::Pages(ranges) => note(ranges, at / PAGE * PAGE, (at + len).min(self.size)),
        }
    }

    /// Of a plain file, whose pages the system may fail to write.
    fn trusts_blanks(&self) -> bool {
        matches!(self.means, Means::Lines(_))
    }

    fn resize(&mut self, from: usize, to: usize) -> io::Result<()> {
        self.file.resize(from as u64, to as u64, 0)?;
        // The old view is of the same file, so it serves where there is no new
        // one.
        let view = MmapOptions::new().len(to).map_raw(self.file.file())?;
        if let Means::Lines(token) = &mut self.means {
            // SAFETY: the view lives as long as the token, which is dropped
            // before it.
            let new = unsafe { Token::new(view.as_ptr(), to)? };
            // Here goes the token of the old view, which is dropped below.
            *token = Some(new.ok_or(io::ErrorKind::Unsupported)?);
        }
        self.view = view;
        self.size = to;
        self.probed = Probed::new(to);
        Ok(())
    }

    fn fence(&mut self) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match &mut self.means {
            Means::Lines(token) => token.as_mut().map_or(Ok(()), Token::drain),
            Means::Pages(ranges) => {
                // First the pages to the system, which on Windows this does,
                // and then from there to the disk.
                for (begin, end) in ranges.drain(..) {
                    self.view.flush_async_range(begin, end - begin)?;
                }
                self.file.file().sync_data()
            }
        }
    }
}

/// Adds a range to those to be written back, joined to the last where they
/// touch; when there are many, all become one.
fn note(ranges: &mut Vec<(usize, usize)>, begin: usize, end: usize) {
    if let Some(last) = ranges.last_mut()
        && begin <= last.1
        && last.0 <= end
    {
        *last = (last.0.min(begin), last.1.max(end));
        return;
    }
    ranges.push((begin, end));
    if ranges.len() > RANGES_MAX {
        let whole = ranges
            .iter()
            .copied()
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        ranges.clear();
        ranges.extend(whole);
    }
}
