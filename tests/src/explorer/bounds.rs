//! How far to look.

use crate::sim::Tearing;

/// How far one exploration goes. Every limit that is met shows in its
/// [`super::Tally`].
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A cut whose recovery leaves at most this many combinations to be told
    /// apart is gone through in full; as a logarithm to base 2.
    pub exhaustive_log2: u32,
    /// Random samples of every other cut, beside the telling patterns.
    pub samples: usize,
    /// Telling patterns tried at most where there are too many combinations.
    pub patterns: usize,
    /// How often power fails: 1 cuts the workload, 2 its recovery too.
    pub depth: usize,
    /// Cuts made at most of a workload, evenly spread.
    pub cuts: usize,
    /// Recoveries of one cut that are themselves cut; those that wrote
    /// something different come first.
    pub nested: usize,
    /// Cuts made at most of each of those recoveries, others each time.
    pub nested_cuts: usize,
    /// How finely torn units and sectors are told apart.
    pub tearing: Tearing,
    /// Threads.
    pub threads: usize,
}

impl Bounds {
    /// For `cargo test`, where a cut leaves few states.
    pub fn quick() -> Self {
        Self {
            cuts: usize::MAX,
            exhaustive_log2: 6,
            samples: 8,
            patterns: 64,
            depth: 2,
            nested: 2,
            nested_cuts: 4,
            tearing: Tearing {
                exhaustive_bits: 4,
                samples: 2,
                flickers: 0,
                decays: true,
            },
            threads: 1,
        }
    }

    /// For `cargo test`, where there are hundreds of cuts and each leaves
    /// hundreds of states.
    pub fn brief() -> Self {
        Self {
            cuts: 40,
            exhaustive_log2: 4,
            samples: 5,
            patterns: 12,
            nested_cuts: 1,
            ..Self::quick()
        }
    }

    /// For the long run.
    pub fn thorough() -> Self {
        Self {
            cuts: usize::MAX,
            exhaustive_log2: 14,
            samples: 128,
            patterns: 4096,
            depth: 3,
            nested: 6,
            nested_cuts: usize::MAX,
            tearing: Tearing {
                exhaustive_bits: 10,
                samples: 16,
                flickers: 1,
                decays: true,
            },
            threads: 2,
        }
    }

    /// Power failing this often.
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// Torn units reading differently this often.
    pub fn flickers(mut self, flickers: usize) -> Self {
        self.tearing.flickers = flickers;
        self
    }

    /// The bounds for cutting a recovery: less each time, since there are as
    /// many recoveries as there were states.
    pub fn deeper(mut self) -> Self {
        self.depth -= 1;
        self.exhaustive_log2 = self.exhaustive_log2.saturating_sub(3);
        self.samples = self.samples.div_ceil(4);
        self.patterns = self.patterns.div_ceil(4);
        self.nested = self.nested.div_ceil(2);
        self.nested_cuts = self.nested_cuts.div_ceil(2);
        self
    }
}
