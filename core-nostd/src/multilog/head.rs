//! Moving a log's head.

use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::frame::{Kind, Meta, Part, Spec};
use crate::index::Index;
use crate::math::place;
use crate::medium::Medium;
use crate::store::Store;

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Forgets what stands before `head`, durably on return; whole segments
    /// become free. One flush.
    ///
    /// # Errors
    /// [`Error::BeforeHead`], [`Error::PastTail`], [`Error::InvalidLog`],
    /// [`Error::TransactionOpen`], or the medium's.
    pub fn advance_head(&mut self, log: usize, head: u64) -> Result<(), Error<M::Error>> {
        let staged = self.stage_head(log, head, true);
        self.alone(staged)
    }

    /// Forgets what stands before `head` when the transaction commits. The
    /// room is there for appends after the commit.
    ///
    /// # Errors
    /// As [`Store::advance_head`]; the transaction stays open and as it was.
    pub fn tentatively_advance_head(
        &mut self,
        log: usize,
        head: u64,
    ) -> Result<(), Error<M::Error>> {
        let staged = self.stage_head(log, head, false);
        self.told(staged)
    }

    fn stage_head(&mut self, log: usize, head: u64, last: bool) -> Result<(), Fault<M::Error>> {
        self.may_stage(last)?;
        let staged = self.log(log)?.staged;
        if head < staged.head {
            return Err(self.device.refuse(What::BeforeHead, 0, (staged.head, 0)));
        }
        if head > staged.tail {
            return Err(self.device.refuse(What::PastTail, 0, (staged.tail, 0)));
        }
        self.pressing = true;
        self.begin(u64::from(self.body_frame_len(Kind::Meta, 12)))?;
        self.touch(log);
        let mut body = [0u8; 12];
        place(
            &mut body,
            0,
            &u32::try_from(log).unwrap_or(u32::MAX).to_le_bytes(),
        );
        place(&mut body, 4, &head.to_le_bytes());
        let spec = Spec {
            last,
            ..Spec::with(Kind::Meta, Meta::Head.code())
        };
        self.frame(&spec, &[], &[Part::Bytes(&body)])?;
        if let Some(state) = self.logs.get_mut(log) {
            state.staged.head = head;
        }
        Ok(())
    }
}
