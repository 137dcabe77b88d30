//! Who decides what a crash left open.
//!
//! A medium after a crash is not one image but many. It stays undecided until
//! the store looks: then the medium asks its [`Chooser`]. So the states that
//! differ only where recovery never looks are visited once.

/// What kind of thing is being decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Which value an 8-byte word kept. 0 is the oldest, the last the newest.
    Word,
    /// What a torn write unit reads as at first. 0 is blank, 1 is as written.
    Torn,
    /// Whether a torn write unit reads differently now. 0 is no.
    Flicker,
    /// What a half-erased sector holds. 0 is its old bytes, 1 is blank.
    HalfErased,
}

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// What is being decided.
    pub kind: Kind,
    /// Address of the word, unit or sector.
    pub at: u64,
    /// Which of the things that the crash left open, in order of address.
    pub rank: usize,
    /// How many answers there are.
    pub options: usize,
    /// Whether the answers are all that the contract allows, rather than
    /// telling ones among them.
    pub exact: bool,
}

/// Something that a crash left open, and all that it may turn out to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What is to be decided.
    pub site: Site,
    /// The bytes of each answer.
    pub values: Vec<Vec<u8>>,
}

/// A question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// The question.
    pub site: Site,
    /// The answer, below `site.options`.
    pub choice: usize,
}

/// Telling choices among the words of one crash, by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Nothing arrived.
    Old,
    /// Everything arrived.
    New,
    /// All but one arrived.
    OnlyOld(usize),
    /// Only one arrived.
    OnlyNew(usize),
    /// All but two arrived.
    PairOld(usize, usize),
    /// Those before this one arrived.
    NewBelow(usize),
    /// This one and those after it arrived.
    NewFrom(usize),
}

impl Pattern {
    /// Every pattern that differs for `count` open words.
    pub fn all(count: usize) -> Vec<Self> {
        let mut all = vec![Self::New, Self::Old];
        all.extend((0..count).map(Self::OnlyOld));
        all.extend((0..count).map(Self::OnlyNew));
        all.extend((1..count).map(Self::NewBelow));
        all.extend((1..count).map(Self::NewFrom));
        // Neighbours tear together most often, and far ones pair up by stride.
        for gap in [1, 2, 3] {
            all.extend((gap..count).map(|i| Self::PairOld(i - gap, i)));
        }
        all
    }

    fn is_new(self, rank: usize) -> bool {
        match self {
            Self::Old => false,
            Self::New => true,
            Self::OnlyOld(i) => rank != i,
            Self::OnlyNew(i) => rank == i,
            Self::PairOld(i, j) => rank != i && rank != j,
            Self::NewBelow(i) => rank < i,
            Self::NewFrom(i) => rank >= i,
        }
    }
}

/// All answers in turn, depth first: run with a trail, [`Trail::advance`], run
/// again, until there is nothing left to advance to.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    path: Vec<Decision>,
    next: usize,
}

impl Trail {
    fn choose(&mut self, site: Site) -> usize {
        if self.next == self.path.len() {
            self.path.push(Decision { site, choice: 0 });
        }
        let decision = self.path[self.next];
        assert_eq!(
            decision.site, site,
            "the store read differently in two equal runs: it is not deterministic"
        );
        self.next += 1;
        decision.choice
    }

    /// Moves to the next combination of answers; `false` after the last.
    pub fn advance(&mut self) -> bool {
        self.path.truncate(self.next);
        self.next = 0;
        while let Some(last) = self.path.last_mut() {
            last.choice += 1;
            if last.choice < last.site.options {
                return true;
            }
            self.path.pop();
        }
        false
    }
}

/// Who answers.
#[derive(Clone, Debug)]
pub enum Chooser {
    /// By rank.
    Pattern(Pattern),
    /// All combinations in turn.
    Trail(Trail),
    /// At random.
    Random(fastrand::Rng),
}

impl Chooser {
    /// Answers at random, the same way for the same seed.
    pub fn random(seed: u64) -> Self {
        Self::Random(fastrand::Rng::with_seed(seed))
    }

    /// Answers one question.
    pub fn choose(&mut self, site: Site) -> usize {
        if site.options == 1 {
            return 0;
        }
        match self {
            Self::Pattern(pattern) => match site.kind {
                Kind::Flicker => 0,
                Kind::Word if pattern.is_new(site.rank) => site.options - 1,
                Kind::Torn | Kind::HalfErased if pattern.is_new(site.rank) => 1,
                _ => 0,
            },
            Self::Trail(trail) => trail.choose(site),
            Self::Random(rng) => match site.kind {
                // A unit that changes at every read hides how it matters.
                Kind::Flicker if rng.u8(..) < 192 => 0,
                _ => rng.usize(..site.options),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(at: u64, options: usize) -> Site {
        Site {
            kind: Kind::Word,
            at,
            rank: at as usize,
            options,
            exact: true,
        }
    }

    #[test]
    fn a_trail_visits_every_combination_once_and_skips_what_is_not_asked() {
        let mut seen = Vec::new();
        let mut chooser = Chooser::Trail(Trail::default());
        loop {
            // The second question is only asked after a 1.
            let first = chooser.choose(site(0, 2));
            let second = (first == 1).then(|| chooser.choose(site(1, 3)));
            seen.push((first, second));
            let Chooser::Trail(trail) = &mut chooser else {
                unreachable!()
            };
            if !trail.advance() {
                break;
            }
        }
        assert_eq!(seen, [(0, None), (1, Some(0)), (1, Some(1)), (1, Some(2))]);
    }

    #[test]
    fn patterns_answer_by_rank() {
        let answers = |pattern| -> Vec<usize> {
            let mut chooser = Chooser::Pattern(pattern);
            (0..4).map(|i| chooser.choose(site(i, 2))).collect()
        };
        assert_eq!(answers(Pattern::OnlyOld(2)), [1, 1, 0, 1]);
        assert_eq!(answers(Pattern::NewBelow(3)), [1, 1, 1, 0]);
        assert_eq!(answers(Pattern::PairOld(0, 3)), [0, 1, 1, 0]);
    }
}
