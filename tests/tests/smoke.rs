//! The real store does each thing it says, on every medium and with both
//! indexes.

use indelible::ram::Ram;
use indelible::{Config, Error, Geometry, HashIndex, Mode, StaticMemory, Store, Undo, setup};
use indelible_tests::explorer::Run;
use indelible_tests::geometries;
use indelible_tests::script::{
    Op, Step, Workload, advance_head, append, append_step, delete, delete_step, list_append_step,
    put, put_step,
};
use indelible_tests::sim::Sim;
use indelible_tests::spec::Contents;
use indelible_tests::store::{Indexed, Real};
use indelible_tests::subject::Subject;
use std::sync::Arc;

const LOGS: [u64; 2] = [500, 500];

/// Does operations on a store and on the specification.
fn run(ops: &[Op]) {
    for index in [Indexed::Hash, Indexed::Ordered] {
        for geometry in geometries::all() {
            let real = Real::new(&LOGS).indexed(index);
            if let Err(failure) = run_on(&real, geometry, ops) {
                panic!("{} {index:?}: {failure}", geometries::name(geometry));
            }
        }
    }
}

fn run_on(
    real: &Real,
    geometry: Geometry,
    ops: &[Op],
) -> Result<(), indelible_tests::subject::Failure> {
    let geometry = geometries::larger(geometry, 2);
    let mut sim = Sim::new(geometry);
    real.setup(&mut sim)?;
    let workload = Workload::new("smoke", ops.to_vec()).logs(&LOGS);
    let mut run = Run::new(real, &workload);
    let empty = Arc::new(Contents::empty(LOGS.len()));
    run.go(&mut sim, vec![empty], None, ops)?;
    Ok(())
}

/// The same with the store closed, and dropped, after each operation.
fn with_restarts(ops: &[Op]) {
    run(ops);
    for restart in [Op::Close, Op::Reopen] {
        let each = ops.iter().flat_map(|op| [op.clone(), restart.clone()]);
        run(&each.collect::<Vec<_>>());
    }
}

#[test]
fn an_empty_store_opens_again_and_again() {
    run(&[Op::Close, Op::Close, Op::Reopen, Op::Reopen, Op::Close]);
}

#[test]
fn values_are_put_replaced_and_deleted() {
    with_restarts(&[
        put(b"a", b"one"),
        put(b"b", b""),
        put(b"a", b"two, and longer"),
        put(&[0xFF; 40], &[0xFF; 100]),
        put(&[0x00; 40], &[0x00; 100]),
        delete(b"b"),
        put(b"b", b"again"),
        delete(b"absent"),
    ]);
}

#[test]
fn creating_and_updating_ask_whether_the_key_is_there() {
    let create = |key: &[u8]| {
        Op::Do(Step::Create {
            key: key.to_vec(),
            value: b"c".to_vec(),
        })
    };
    let update = |key: &[u8]| {
        Op::Do(Step::Update {
            key: key.to_vec(),
            value: b"u".to_vec(),
        })
    };
    with_restarts(&[create(b"k"), create(b"k"), update(b"k"), update(b"absent")]);
}

#[test]
fn transactions_happen_as_a_whole_or_not_at_all() {
    let steps = vec![
        put_step(b"a", b"1"),
        put_step(b"b", b"2"),
        append_step(0, b"first"),
        delete_step(b"a"),
        append_step(1, b"second"),
        put_step(b"b", b"3"),
    ];
    with_restarts(&[
        put(b"a", b"0"),
        Op::Aborted(steps.clone()),
        Op::Transaction(steps.clone()),
        Op::Aborted(vec![delete_step(b"b"), append_step(0, b"not this")]),
        Op::Transaction(vec![]),
        Op::Aborted(vec![]),
        Op::Transaction(steps),
    ]);
}

#[test]
fn lists_grow_change_and_shrink() {
    let element = |text: &[u8]| Op::Do(list_append_step(b"k", text));
    let trim = |count| {
        Op::Do(Step::ListTrim {
            key: b"k".to_vec(),
            count,
        })
    };
    let update = |index, text: &[u8]| {
        Op::Do(Step::ListUpdate {
            key: b"k".to_vec(),
            index,
            element: text.to_vec(),
        })
    };
    with_restarts(&[
        element(b"too early"),
        put(b"k", b"v"),
        element(b"zero"),
        element(b"one"),
        element(b""),
        update(1, b"one, changed"),
        update(3, b"none"),
        trim(1),
        element(b"three"),
        put(b"k", b"the list stays"),
        update(0, b"one, changed again"),
        trim(9),
        trim(3),
        element(b"from the start"),
        delete(b"k"),
        put(b"k", b"no list"),
        element(b"a new one"),
    ]);
}

#[test]
fn logs_take_bytes_of_any_length() {
    with_restarts(&[
        append(0, b"a"),
        append(0, b"bc"),
        append(1, &[0xFF; 33]),
        append(0, &[0x00; 64]),
        append(1, b""),
        append(0, &[7; 255]),
        advance_head(0, 0),
        advance_head(0, 3),
        advance_head(0, 300),
        append(1, &[8; 300]),
        advance_head(0, 1000),
        advance_head(1, 333),
    ]);
}

#[test]
fn a_log_goes_on_for_ever() {
    let mut ops = Vec::new();
    for round in 0..60u8 {
        ops.push(append(0, &[round; 173]));
        ops.push(append(1, &[round; 5]));
        if round >= 1 {
            ops.push(advance_head(0, 173));
        }
    }
    run(&ops);
}

#[test]
fn large_values_are_kept_in_pieces() {
    let large = |len: usize, from: u8| -> Vec<u8> {
        (0..len)
            .map(|i| from.wrapping_add((i % 251) as u8))
            .collect()
    };
    with_restarts(&[
        put(b"large", &large(1000, 0)),
        put(b"large", &large(700, 1)),
        put(b"other", &large(513, 2)),
        Op::Transaction(vec![put_step(b"large", b"small"), delete_step(b"other")]),
        put(b"large", &large(900, 3)),
        Op::Aborted(vec![put_step(b"large", &large(800, 4))]),
        delete(b"large"),
    ]);
}

#[test]
fn the_same_keys_are_updated_for_ever() {
    let mut ops = Vec::new();
    for round in 0..400u32 {
        let key = [b'a' + (round * 7 % 11) as u8];
        ops.push(put(&key, &[round as u8; 90]));
        if round % 50 == 49 {
            ops.push(Op::Maintain(100));
            ops.push(if round % 100 == 99 {
                Op::Close
            } else {
                Op::Reopen
            });
        }
    }
    run(&ops);
}

#[test]
fn a_transaction_goes_on_with_more_undo_memory() {
    let mut bytes = [0; 64 * 1024];
    let mut medium = Ram::new(&mut bytes);
    let config = Config {
        id: 0,
        nonce: 3,
        segment_size: None,
        logs: &[],
    };
    setup(&mut medium, &config).unwrap();
    let mut memory = StaticMemory::<128, 0, 0, 4, 16>::new();
    let mut slots = [0; 64];
    let mut short = [Undo::default(); 2];
    let mut long = [Undo::default(); 32];
    let index = HashIndex::new(&mut slots);
    let (mut store, _) = Store::start(medium, index, memory.lend(), None, Mode::ReadWrite).unwrap();

    let mut put = 0;
    let refused = loop {
        match store.tentatively_put(&[b'a' + put], b"") {
            Ok(()) => put += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, Error::TransactionTooLarge { limit: 4 });
    let returned = store.swap_undo(&mut short).len();
    assert_eq!(returned, 2, "too short for what is staged");
    assert_eq!(store.swap_undo(&mut long).len(), 4);
    for more in put..20 {
        store.tentatively_put(&[b'a' + more], b"").unwrap();
    }
    store.abort().unwrap();
    assert_eq!(store.len(), 0, "all of it is taken back");
}
