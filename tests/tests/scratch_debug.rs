#![allow(missing_docs, unused)]
use indelible_tests::explorer::Run;
use indelible_tests::geometries;
use indelible_tests::script::*;
use indelible_tests::sim::Sim;
use indelible_tests::spec::Contents;
use indelible_tests::store::*;
use indelible_tests::subject::*;
use std::sync::Arc;
#[test]
fn second() {
    let ops = vec![
    put(b"k011", b""), Op::Close, put(b"k000005", b""), Op::Close, Op::Transaction(vec![put_step(b"k0012", b"")]), Op::Close,
    delete(b"k0012"), Op::Reopen, Op::Reopen, Op::Reopen, put(b"k002", b""),
    ];
    let logs = [700, 1500];
    let real = Real::new(&logs);
    let geometry = geometries::larger(geometries::flash(32), 2);
    let mut sim = Sim::new(geometry);
    real.setup(&mut sim).unwrap();
    for op in ops {
        let mut out = None;
        let e = real.open(&mut sim, indelible::Mode::ReadWrite, &mut |s, r| { 
            let a = s.apply(&op)?;
            out = Some(format!("{op:?} {a:?} {r:?} {:?}", s.stats()));
            if a == vec![Err(indelible_tests::spec::Refusal::NoRoom)] { println!("{}", s.dump()); }
            Ok(if op == Op::Close { Leave::Close} else {Leave::Drop}) });
        println!("{out:?} {e:?}");
    }
}
