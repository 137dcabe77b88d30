//! The workloads that are explored: each about one thing that can be cut.

use crate::geometries::name;
use crate::script::{
    Op, Step, Workload, advance_head, append, append_step, delete, delete_step, list_append_step,
    put, put_step,
};
use crate::sim::Sim;
use crate::store::{Indexed, Real};
use indelible::Geometry;

/// The store that a workload is for.
pub fn real(workload: &Workload, index: Indexed) -> Real {
    Real::new(&workload.logs).indexed(index)
}

/// Every workload, for a medium of this geometry.
pub fn all(geometry: Geometry) -> Vec<Workload> {
    let mut all = vec![
        puts(),
        transactions(),
        lists(),
        logs(),
        spanning(),
        reopening(),
        large_value(geometry),
        succession(geometry),
        transaction_over_succession(geometry),
        roots(geometry),
        reclaiming(geometry),
        maintaining(geometry),
        head_over_segments(geometry),
        full(geometry),
    ];
    for workload in &mut all {
        workload.name = format!("{} on {}", workload.name, name(geometry));
    }
    all
}

/// Keys are put, replaced and deleted.
pub fn puts() -> Workload {
    let ops = vec![
        put(b"a", b"first"),
        put(b"a", b"second"),
        put(b"b", b""),
        delete(b"a"),
        put(b"a", b"third"),
    ];
    Workload::new("puts", ops)
}

/// Several keys change together, some changes are given up.
pub fn transactions() -> Workload {
    let both = vec![
        put_step(b"a", b"1"),
        put_step(b"b", b"2"),
        delete_step(b"c"),
    ];
    let ops = vec![
        Op::Transaction(both.clone()),
        Op::Aborted(vec![put_step(b"a", b"no"), delete_step(b"b")]),
        Op::Transaction(vec![delete_step(b"a"), put_step(b"b", b"3")]),
    ];
    let prelude = vec![put(b"c", b"0")];
    Workload::new("transactions", ops)
        .after(prelude)
        .then(vec![Op::Transaction(both), put(b"c", b"4")])
}

/// A list grows, changes and shrinks.
pub fn lists() -> Workload {
    let key = || b"k".to_vec();
    let trim = Op::Do(Step::ListTrim {
        key: key(),
        count: 1,
    });
    let update = Step::ListUpdate {
        key: key(),
        index: 0,
        element: b"changed".to_vec(),
    };
    let ops = vec![
        Op::Do(list_append_step(b"k", b"zero")),
        Op::Transaction(vec![list_append_step(b"k", b"one"), update]),
        trim,
        delete(b"k"),
        put(b"k", b"without a list"),
    ];
    Workload::new("lists", ops)
        .after(vec![put(b"k", b"with a list")])
        .then(vec![
            put(b"k", b"again"),
            Op::Do(list_append_step(b"k", b"anew")),
        ])
}

/// Two logs grow, apart and together, by whole units and by less.
pub fn logs() -> Workload {
    let ops = vec![
        append(0, b"abc"),
        append(0, b"defghijklmnopqrs"),
        Op::Transaction(vec![append_step(0, b"both"), append_step(1, &[0x5A; 40])]),
        advance_head(0, 5),
        Op::Aborted(vec![append_step(1, b"never")]),
        append(1, b"after all"),
    ];
    Workload::new("logs", ops)
        .logs(&[300, 300])
        .then(vec![append(0, b"on"), append(1, b"and on")])
}

/// Transactions over keys, lists and logs.
pub fn spanning() -> Workload {
    let first = vec![
        put_step(b"a", b"1"),
        append_step(0, b"log of a"),
        list_append_step(b"a", b"element"),
        append_step(1, b"log of b"),
    ];
    let second = vec![
        Step::AdvanceHead { log: 0, by: 4 },
        delete_step(b"a"),
        append_step(1, &[0xFF; 20]),
        put_step(b"b", &[0x00; 20]),
    ];
    Workload::new(
        "transactions that span",
        vec![Op::Transaction(first), Op::Transaction(second)],
    )
    .logs(&[300, 300])
    .then(vec![put(b"a", b"2"), append(0, b"on"), append(1, b"on")])
}

/// The store is closed and reopened, in order and not.
pub fn reopening() -> Workload {
    let ops = vec![
        put(b"a", b"1"),
        Op::Close,
        append(0, b"between"),
        Op::Reopen,
        put(b"a", b"2"),
        Op::Close,
        Op::Close,
    ];
    Workload::new("reopening", ops)
        .logs(&[300])
        .then(vec![append(0, b"on"), put(b"a", b"3")])
}

/// A store in which records were moved is closed, again and again, with
/// hardly anything between.
pub fn closing(geometry: Geometry) -> Workload {
    let ops = vec![
        put(b"a", b"1"),
        Op::Close,
        delete(b"C\x01"),
        Op::Close,
        Op::Close,
        Op::Do(list_append_step(b"a", b"element")),
        append(0, b"bytes"),
        Op::Close,
    ];
    Workload::new("closing", ops)
        .logs(&[300])
        .after(crowded(geometry))
        .then(vec![put(b"a", b"2"), Op::Close, put(b"b", b"3")])
}

/// Bytes of a value of which about nine fill a segment.
fn tenth(geometry: Geometry) -> usize {
    segment(geometry) / 10 - 16
}

fn segment(geometry: Geometry) -> usize {
    let layout = Real::new(&[]).layout(&Sim::new(geometry));
    layout.map_or(1024, |layout| layout.segment_size as usize)
}

/// A value made of one byte.
fn value(geometry: Geometry, byte: u8) -> Vec<u8> {
    vec![byte; tenth(geometry)]
}

/// Puts of large values to a few keys, one after the other.
fn rounds(geometry: Geometry, keys: usize, count: usize) -> Vec<Op> {
    let put = |i: usize| put(&[b'a' + (i % keys) as u8], &value(geometry, i as u8 + 1));
    (0..count).map(put).collect()
}

/// Values that are kept in pieces.
pub fn large_value(geometry: Geometry) -> Workload {
    let large = |byte| vec![byte; segment(geometry) / 5];
    let ops = vec![
        put(b"large", &large(1)),
        put(b"large", &large(2)),
        delete(b"large"),
    ];
    Workload::new("large values", ops).then(vec![put(b"large", &large(3))])
}

/// The ledger goes on in the next segment between operations.
pub fn succession(geometry: Geometry) -> Workload {
    Workload::new("succession", rounds(geometry, 3, 5))
        .after(rounds(geometry, 3, 5))
        .then(rounds(geometry, 2, 3))
}

/// The ledger goes on in the next segment within a transaction.
pub fn transaction_over_succession(geometry: Geometry) -> Workload {
    let steps: Vec<Step> = rounds(geometry, 6, 6)
        .iter()
        .flat_map(Op::steps)
        .cloned()
        .collect();
    let ops = vec![
        Op::Aborted(steps.clone()),
        Op::Transaction(steps),
        put(b"a", b"after"),
    ];
    Workload::new("a transaction over a succession", ops).after(rounds(geometry, 3, 4))
}

/// The ledger goes on with a new checkpoint.
pub fn roots(geometry: Geometry) -> Workload {
    let mut ops = rounds(geometry, 2, 4);
    ops.push(append(0, b"odd"));
    ops.extend(rounds(geometry, 2, 3));
    Workload::new("checkpoints", ops)
        .logs(&[100])
        .after([rounds(geometry, 2, 12), vec![append(0, b"bytes")]].concat())
        .then(vec![append(0, b"on")])
}

/// Records that are needed and many that are not, until space is short.
fn crowded(geometry: Geometry) -> Vec<Op> {
    let mut ops = Vec::new();
    for i in 0..100u8 {
        let key = match i % 3 {
            0 => vec![b'C', i / 3 % 16],
            _ => vec![b'H', i % 4],
        };
        ops.push(put(&key, &value(geometry, i)));
    }
    ops
}

/// Space is won back as the store is written to.
pub fn reclaiming(geometry: Geometry) -> Workload {
    let mut ops = rounds(geometry, 2, 6);
    ops.insert(3, delete(b"C\x01"));
    Workload::new("reclaiming", ops)
        .after(crowded(geometry))
        .then(rounds(geometry, 1, 2))
}

/// Space is won back when there is time.
pub fn maintaining(geometry: Geometry) -> Workload {
    let ops = vec![
        Op::Maintain(3),
        delete(b"C\x02"),
        Op::Maintain(2),
        Op::Close,
        Op::Maintain(20),
        put(b"a", b"1"),
    ];
    Workload::new("maintaining", ops)
        .after(crowded(geometry))
        .then(vec![Op::Maintain(2), put(b"a", b"2")])
}

/// A log's head moves over segments, which others take over.
pub fn head_over_segments(geometry: Geometry) -> Workload {
    let piece = segment(geometry) / 3;
    let bytes = |byte: u8| append(0, &vec![byte; piece]);
    let ops = vec![
        bytes(4),
        advance_head(0, 2 * piece as u64),
        bytes(5),
        advance_head(0, 2 * piece as u64 + 3),
        bytes(6),
    ];
    Workload::new("a head over segments", ops)
        .logs(&[2 * segment(geometry) as u64])
        .after(vec![bytes(1), bytes(2), bytes(3)])
        .then(vec![append(0, b"on")])
}

/// Segments that a store which grows begins with, then has, then has at last.
pub const GROWING: [u32; 3] = [12, 15, 22];

/// A medium for a store that grows.
pub fn growing_on(geometry: Geometry) -> Geometry {
    let capacity = u64::from(GROWING[2]) * segment(geometry) as u64;
    Geometry {
        capacity,
        ..geometry
    }
}

/// A store that is full grows, is filled up, and grows again.
pub fn growing(geometry: Geometry) -> Workload {
    let fill = |i: u8| put(&[b'f', i], &value(geometry, i));
    let [_, more, most] = GROWING;
    let mut ops = vec![fill(200), append(0, b"before"), Op::Grow(more)];
    ops.extend((201..206).map(fill));
    ops.extend([
        append(0, b"between"),
        delete(&[b'f', 3]),
        Op::Reopen,
        Op::Grow(most),
        fill(206),
        Op::Close,
        fill(207),
    ]);
    let then = vec![
        Op::Grow(most),
        delete(&[b'f', 5]),
        append(0, b"on"),
        fill(208),
        fill(209),
    ];
    Workload::new("a store that grows", ops)
        .logs(&[300])
        .after((0..120).map(fill).collect())
        .then(then)
        .may_fill()
}

/// Everything that a store may hold is there as it grows, between commits and
/// right after it was opened.
pub fn growing_with_all(geometry: Geometry) -> Workload {
    let [_, more, most] = GROWING;
    let list = |byte| Op::Do(list_append_step(b"list", &[byte; 20]));
    let prelude = vec![
        put(b"key", b"first"),
        list(1),
        append(0, &[7; 100]),
        append(1, &[8; 33]),
        put(b"large", &vec![9; segment(geometry) / 5]),
        advance_head(1, 9),
    ];
    let ops = vec![
        Op::Grow(more),
        put(b"key", b"second"),
        append(1, b"odd"),
        Op::Grow(most),
        Op::Close,
        list(2),
        delete(b"large"),
    ];
    Workload::new("all in a store that grows", ops)
        .logs(&[300, 300])
        .after(prelude)
        .then(vec![
            Op::Grow(most),
            put(b"key", b"third"),
            append(0, b"on"),
            list(3),
        ])
}

/// A store that refuses for want of room, and takes deletes.
pub fn full(geometry: Geometry) -> Workload {
    let fill = |i: u8| put(&[b'f', i], &value(geometry, i));
    let ops = vec![
        fill(200),
        put(&[b'f', 1], &value(geometry, 201)),
        delete(&[b'f', 0]),
        delete(&[b'f', 2]),
        fill(202),
    ];
    Workload::new("a full store", ops)
        .after((0..120).map(fill).collect())
        .then(vec![delete(&[b'f', 5]), put(&[b'f', 6], b"short")])
        .may_fill()
}
