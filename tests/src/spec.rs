//! The specification: what a store holds, with no layout and no medium.

use crate::map::{self, Map};
use crate::script::Step;

/// All that can be seen of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Contents {
    /// The keys in order.
    pub items: Map<Vec<u8>, Item>,
    /// The logs.
    pub logs: Vec<Log>,
}

/// What is kept under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Item {
    /// The value.
    pub value: Vec<u8>,
    /// The list.
    pub list: Vec<Vec<u8>>,
}

/// One log: the bytes from `head` on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    /// The first position that can be read.
    pub head: u64,
    /// What follows it.
    pub bytes: Vec<u8>,
}

impl Log {
    /// The position behind the last byte.
    pub fn tail(&self) -> u64 {
        self.head + self.bytes.len() as u64
    }
}

/// Why a change is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The key or the element is absent.
    NotFound,
    /// The key is present.
    KeyExists,
    /// Beyond the tail of a log.
    PastTail {
        /// The tail.
        tail: u64,
    },
    /// No room; the only refusal that the specification cannot foresee.
    NoRoom,
}

impl Contents {
    /// An empty store.
    pub fn empty(logs: usize) -> Self {
        Self {
            items: Map::new(),
            logs: vec![Log::default(); logs],
        }
    }

    /// Makes one change.
    ///
    /// # Errors
    /// Where it is refused; then nothing changes.
    pub fn apply(&mut self, step: &Step) -> Result<(), Refusal> {
        match step {
            Step::Put { key, value } => {
                self.items.entry(key.clone()).or_default().value = value.clone();
            }
            Step::Create { key, value } => {
                if self.items.contains_key(key) {
                    return Err(Refusal::KeyExists);
                }
                let list = Vec::new();
                let value = value.clone();
                self.items.insert(key.clone(), Item { value, list });
            }
            Step::Update { key, value } => self.item(key)?.value = value.clone(),
            Step::Delete { key } => {
                self.items.remove(key).ok_or(Refusal::NotFound)?;
            }
            Step::ListAppend { key, element } => self.item(key)?.list.push(element.clone()),
            Step::ListUpdate {
                key,
                index,
                element,
            } => {
                let list = &mut self.item(key)?.list;
                let old = list.get_mut(*index as usize).ok_or(Refusal::NotFound)?;
                *old = element.clone();
            }
            Step::ListTrim { key, count } => {
                let list = &mut self.item(key)?.list;
                if *count > list.len() as u64 {
                    return Err(Refusal::NotFound);
                }
                list.drain(..*count as usize);
            }
            Step::Append { log, data } => self.logs[*log].bytes.extend(data),
            Step::AdvanceHead { log, by } => {
                let log = &mut self.logs[*log];
                if *by > log.bytes.len() as u64 {
                    return Err(Refusal::PastTail { tail: log.tail() });
                }
                log.bytes.drain(..*by as usize);
                log.head += by;
            }
        }
        Ok(())
    }

    fn item(&mut self, key: &[u8]) -> Result<&mut Item, Refusal> {
        self.items.get_mut(key).ok_or(Refusal::NotFound)
    }

    /// In a few words, how `other` differs; empty where it does not.
    pub fn difference(&self, other: &Self) -> String {
        let mut found = Vec::new();
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let keys = self.items.keys().chain(other.items.keys());
        let keys = map::of(keys.map(|key| (key, ())));
        for key in keys.keys() {
            let (ours, theirs) = (self.items.get(*key), other.items.get(*key));
            if ours != theirs {
                let show = |item: Option<&Item>| match item {
                    None => "absent".to_string(),
                    Some(item) => {
                        let list: Vec<_> = item.list.iter().map(|e| text(e)).collect();
                        format!("{:?} with list {list:?}", text(&item.value))
                    }
                };
                found.push(format!("{}: {} / {}", text(key), show(ours), show(theirs)));
            }
        }
        for (i, (ours, theirs)) in self.logs.iter().zip(&other.logs).enumerate() {
            if ours != theirs {
                let show = |log: &Log| format!("{}+{:?}", log.head, text(&log.bytes));
                found.push(format!("log {i}: {} / {}", show(ours), show(theirs)));
            }
        }
        if self.logs.len() != other.logs.len() {
            found.push(format!("{} logs / {}", self.logs.len(), other.logs.len()));
        }
        found.join("; ")
    }
}

/// A store with at most one open transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    committed: Contents,
    open: Option<Contents>,
}

impl Spec {
    /// An empty store.
    pub fn new(logs: usize) -> Self {
        Self::of(Contents::empty(logs))
    }

    /// A store that holds this.
    pub fn of(contents: Contents) -> Self {
        Self {
            committed: contents,
            open: None,
        }
    }

    /// What is durable.
    pub fn committed(&self) -> &Contents {
        &self.committed
    }

    /// What reads see: the open transaction too.
    pub fn visible(&self) -> &Contents {
        self.open.as_ref().unwrap_or(&self.committed)
    }

    /// Makes a change that waits for its commit.
    ///
    /// # Errors
    /// Where it is refused.
    pub fn tentatively(&mut self, step: &Step) -> Result<(), Refusal> {
        self.open
            .get_or_insert_with(|| self.committed.clone())
            .apply(step)
    }

    /// Makes the open changes durable.
    pub fn commit(&mut self) {
        if let Some(open) = self.open.take() {
            self.committed = open;
        }
    }

    /// Gives the open changes up.
    pub fn abort(&mut self) {
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{append_step, delete_step, list_append_step, put_step};

    #[test]
    fn a_transaction_is_seen_at_once_and_durable_at_commit() {
        let mut spec = Spec::new(1);
        spec.tentatively(&put_step(b"k", b"v")).unwrap();
        spec.tentatively(&append_step(0, b"abc")).unwrap();
        assert_eq!(spec.visible().logs[0].tail(), 3);
        assert_eq!(*spec.committed(), Contents::empty(1));
        spec.commit();
        assert_eq!(spec.committed().items[&b"k".to_vec()].value, b"v");
    }

    #[test]
    fn an_abort_leaves_nothing() {
        let mut spec = Spec::new(0);
        spec.tentatively(&put_step(b"k", b"v")).unwrap();
        spec.abort();
        spec.commit();
        assert_eq!(*spec.visible(), Contents::empty(0));
    }

    #[test]
    fn a_delete_takes_the_list_along_and_a_put_leaves_it() {
        let mut contents = Contents::empty(0);
        assert_eq!(
            contents.apply(&list_append_step(b"k", b"e")),
            Err(Refusal::NotFound)
        );
        contents.apply(&put_step(b"k", b"1")).unwrap();
        contents.apply(&list_append_step(b"k", b"e")).unwrap();
        contents.apply(&put_step(b"k", b"2")).unwrap();
        assert_eq!(contents.items[&b"k".to_vec()].list.len(), 1);
        contents.apply(&delete_step(b"k")).unwrap();
        contents.apply(&put_step(b"k", b"3")).unwrap();
        assert!(contents.items[&b"k".to_vec()].list.is_empty());
    }

    #[test]
    fn a_head_stops_at_the_tail() {
        let mut contents = Contents::empty(1);
        contents.apply(&append_step(0, b"abcdef")).unwrap();
        let advance = |by| Step::AdvanceHead { log: 0, by };
        contents.apply(&advance(4)).unwrap();
        assert_eq!(
            contents.apply(&advance(3)),
            Err(Refusal::PastTail { tail: 6 })
        );
        assert_eq!(
            (contents.logs[0].head, &contents.logs[0].bytes[..]),
            (4, &b"ef"[..])
        );
    }
}
