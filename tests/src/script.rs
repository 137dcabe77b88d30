//! What a test does to a store: data, so that it can be run on the store and
//! on the specification, printed, shrunk and cut at any point.

/// One change. A change that is refused leaves everything as it was.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Creates or replaces a key's value.
    Put {
        /// The key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Creates a key; refused where it exists.
    Create {
        /// The key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Replaces a key's value; refused where it is absent.
    Update {
        /// The key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Removes a key with its list.
    Delete {
        /// The key.
        key: Vec<u8>,
    },
    /// Adds an element to the end of a key's list.
    ListAppend {
        /// The key.
        key: Vec<u8>,
        /// The element.
        element: Vec<u8>,
    },
    /// Replaces the element at an index, counted from the first one left.
    ListUpdate {
        /// The key.
        key: Vec<u8>,
        /// Which element.
        index: u64,
        /// The element.
        element: Vec<u8>,
    },
    /// Drops the first elements of a list.
    ListTrim {
        /// The key.
        key: Vec<u8>,
        /// How many.
        count: u64,
    },
    /// Adds bytes to the tail of a log.
    Append {
        /// Which log.
        log: usize,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Moves a log's head on.
    AdvanceHead {
        /// Which log.
        log: usize,
        /// By how many bytes.
        by: u64,
    },
}

/// One thing that happens as a whole or not at all.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Op {
    /// A change that is durable on return.
    Do(Step),
    /// Changes that become durable together.
    Transaction(Vec<Step>),
    /// Changes that are given up.
    Aborted(Vec<Step>),
    /// Idle work, bounded by a budget.
    Maintain(u32),
    /// The store grows to this many segments, unless it has them.
    Grow(u32),
    /// Close the store and open it again.
    Close,
    /// Drop the store without closing it, and open it again.
    Reopen,
}

/// A named list of operations and what it runs on.
#[derive(Clone, Debug)]
pub struct Workload {
    /// For reports.
    pub name: String,
    /// Guaranteed capacities of the logs.
    pub logs: Vec<u64>,
    /// Run first, without cuts.
    pub prelude: Vec<Op>,
    /// Run with cuts.
    pub ops: Vec<Op>,
    /// Run after each recovery: the store goes on working.
    pub epilogue: Vec<Op>,
    /// Whether the store may refuse for want of room.
    pub may_fill: bool,
}

impl Workload {
    /// A workload without prelude whose epilogue is one put.
    pub fn new(name: &str, ops: Vec<Op>) -> Self {
        Self {
            name: name.into(),
            logs: Vec::new(),
            prelude: Vec::new(),
            ops,
            epilogue: vec![put(b"afterwards", b"it goes on")],
            may_fill: false,
        }
    }

    /// With logs of these capacities.
    pub fn logs(mut self, capacities: &[u64]) -> Self {
        self.logs = capacities.to_vec();
        self
    }

    /// With operations that are run first, uncut.
    pub fn after(mut self, prelude: Vec<Op>) -> Self {
        self.prelude = prelude;
        self
    }

    /// With these operations after each recovery.
    pub fn then(mut self, epilogue: Vec<Op>) -> Self {
        self.epilogue = epilogue;
        self
    }

    /// In a store that may be full.
    pub fn may_fill(mut self) -> Self {
        self.may_fill = true;
        self
    }

    /// Every key that the workload names, present or not.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let ops = self.prelude.iter().chain(&self.ops).chain(&self.epilogue);
        let mut keys: Vec<_> = ops.flat_map(Op::steps).filter_map(Step::key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl Op {
    /// The changes that this operation makes.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Do(step) => core::slice::from_ref(step),
            Self::Transaction(steps) | Self::Aborted(steps) => steps,
            Self::Maintain(_) | Self::Grow(_) | Self::Close | Self::Reopen => &[],
        }
    }
}

impl Step {
    /// The key that this change names.
    pub fn key(&self) -> Option<Vec<u8>> {
        match self {
            Self::Put { key, .. }
            | Self::Create { key, .. }
            | Self::Update { key, .. }
            | Self::Delete { key }
            | Self::ListAppend { key, .. }
            | Self::ListUpdate { key, .. }
            | Self::ListTrim { key, .. } => Some(key.clone()),
            Self::Append { .. } | Self::AdvanceHead { .. } => None,
        }
    }
}

/// `Step::Put`.
pub fn put_step(key: &[u8], value: &[u8]) -> Step {
    Step::Put {
        key: key.to_vec(),
        value: value.to_vec(),
    }
}

/// `Step::Delete`.
pub fn delete_step(key: &[u8]) -> Step {
    Step::Delete { key: key.to_vec() }
}

/// `Step::Append`.
pub fn append_step(log: usize, data: &[u8]) -> Step {
    Step::Append {
        log,
        data: data.to_vec(),
    }
}

/// `Step::ListAppend`.
pub fn list_append_step(key: &[u8], element: &[u8]) -> Step {
    Step::ListAppend {
        key: key.to_vec(),
        element: element.to_vec(),
    }
}

/// An immediate put.
pub fn put(key: &[u8], value: &[u8]) -> Op {
    Op::Do(put_step(key, value))
}

/// An immediate delete.
pub fn delete(key: &[u8]) -> Op {
    Op::Do(delete_step(key))
}

/// An immediate append to a log.
pub fn append(log: usize, data: &[u8]) -> Op {
    Op::Do(append_step(log, data))
}

/// An immediate move of a log's head.
pub fn advance_head(log: usize, by: u64) -> Op {
    Op::Do(Step::AdvanceHead { log, by })
}
