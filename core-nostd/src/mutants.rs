//! Deliberate faults for the tests that judge the tests. In a normal build
//! `Mutant::on` is the constant `false`; built with
//! `--cfg indelible_mutants`, one can be chosen at run time.

/// A fault that can be put into the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// A commit returns without its flush.
    NoCommitFlush = 1,
    /// A succession does not flush its link before going on.
    NoLinkFlush,
    /// A root checkpoint is not flushed before it is used.
    NoRootFlush,
    /// Records are written with their commit mark before their data.
    MarkBeforeData,
    /// A record's checksum is not compared when it is read.
    SkipReadChecksum,
    /// A record's checksum is not compared in recovery.
    SkipRecoveryChecksum,
    /// Sums are not salted with segment and offset.
    NoSalt,
    /// A dirty segment is opened without being erased.
    NoErase,
    /// A segment is erased before its `freed` entry is durable.
    EraseBeforeFreed,
    /// A victim is freed before its copies are durable.
    FreeBeforeCopied,
    /// A new ledger segment is linked before its checkpoint is written.
    LinkBeforeRoot,
    /// Tombstones are dropped as soon as they are met.
    DropTombstones,
    /// An abort leaves its frames without an abort mark.
    NoAbortMark,
    /// Recovery writes on behind a torn commit, in the same segment.
    ResumeBehindTorn,
    /// Blank words are not counted: a torn commit looks corrupt.
    NoBlankCount,
    /// Relocated records do not carry the rank of their relocation.
    ColdRanksLast,
    /// A log's tail is taken up again behind a torn append.
    ResumeTornLog,
    /// The index keeps what an aborted transaction put there.
    NoUndo,
    /// The newest group is not copied on by recovery.
    NoCopyOn,
    /// The unit count is not compared: a torn unit looks corrupt.
    NoUnitCount,
    /// A saved index is loaded whatever its checksum says.
    LoadUnsummed,
    /// A close saves the index without a root before it.
    SaveWithoutRoot,
    /// Entries of a saved index are kept whose segments were reclaimed since.
    KeepMoved,
    /// A start builds on a saved index without what was relocated since.
    ResumeWithoutCold,
    /// Nothing is written behind a root that proves its flush.
    NoRootProof,
    /// A store grows without a root that says so.
    GrowUnrooted,
    /// What lies behind a store's end is taken for blank when it grows.
    GrowUnblanked,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Mutant; 27] = [
        Mutant::NoCommitFlush,
        Mutant::NoLinkFlush,
        Mutant::NoRootFlush,
        Mutant::MarkBeforeData,
        Mutant::SkipReadChecksum,
        Mutant::SkipRecoveryChecksum,
        Mutant::NoSalt,
        Mutant::NoErase,
        Mutant::EraseBeforeFreed,
        Mutant::FreeBeforeCopied,
        Mutant::LinkBeforeRoot,
        Mutant::DropTombstones,
        Mutant::NoAbortMark,
        Mutant::ResumeBehindTorn,
        Mutant::NoBlankCount,
        Mutant::ColdRanksLast,
        Mutant::ResumeTornLog,
        Mutant::NoUndo,
        Mutant::NoCopyOn,
        Mutant::NoUnitCount,
        Mutant::LoadUnsummed,
        Mutant::SaveWithoutRoot,
        Mutant::KeepMoved,
        Mutant::ResumeWithoutCold,
        Mutant::NoRootProof,
        Mutant::GrowUnrooted,
        Mutant::GrowUnblanked,
    ];

    /// Whether this fault is switched on.
    #[cfg(not(indelible_mutants))]
    #[inline(always)]
    pub(crate) fn on(self) -> bool {
        false
    }

    /// Whether this fault is switched on.
    #[cfg(indelible_mutants)]
    pub(crate) fn on(self) -> bool {
        CHOSEN.load(core::sync::atomic::Ordering::Relaxed) == self as u8
    }
}

#[cfg(indelible_mutants)]
static CHOSEN: core::sync::atomic::AtomicU8 = core::sync::atomic::AtomicU8::new(0);

/// Switches one fault on, for the whole process, or all off.
#[cfg(indelible_mutants)]
pub fn set(mutant: Option<Mutant>) {
    let number = mutant.map_or(0, |mutant| mutant as u8);
    CHOSEN.store(number, core::sync::atomic::Ordering::Relaxed);
}
