//! Makes a failing list of operations short enough to read.

use crate::script::{Op, Step};

/// The shortest list found that still fails: operations and steps are left
/// out, values made shorter and plain.
pub fn shrink(ops: &[Op], fails: &dyn Fn(&[Op]) -> bool) -> Vec<Op> {
    let mut ops = ops.to_vec();
    loop {
        let shorter = once(&ops, fails);
        if shorter == ops {
            return ops;
        }
        ops = shorter;
    }
}

fn once(ops: &[Op], fails: &dyn Fn(&[Op]) -> bool) -> Vec<Op> {
    let mut ops = ops.to_vec();
    let mut size = ops.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(at..(at + size).min(ops.len()));
            match fails(&fewer) {
                true => ops = fewer,
                false => at += size,
            }
        }
        size /= 2;
    }
    for at in 0..ops.len() {
        shrink_steps(&mut ops, at, fails);
        for step in 0..ops[at].steps().len() {
            shrink_bytes(&mut ops, at, step, fails);
        }
    }
    ops
}

fn shrink_bytes(ops: &mut Vec<Op>, at: usize, step: usize, fails: &dyn Fn(&[Op]) -> bool) {
    let Some(len) = bytes(&mut ops.clone()[at], step).map(|bytes| bytes.len()) else {
        return;
    };
    let tries = [
        len / 8,
        len / 4,
        len / 2,
        len * 3 / 4,
        len * 7 / 8,
        len.saturating_sub(1),
        len,
    ];
    for len in tries {
        let mut fewer = ops.clone();
        if let Some(bytes) = bytes(&mut fewer[at], step) {
            *bytes = vec![0x55; len];
        }
        if fails(&fewer) {
            *ops = fewer;
            return;
        }
    }
}

/// The value, element or data of a step.
fn bytes(op: &mut Op, step: usize) -> Option<&mut Vec<u8>> {
    let step = match op {
        Op::Do(step) => step,
        Op::Transaction(steps) | Op::Aborted(steps) => steps.get_mut(step)?,
        Op::Maintain(_) | Op::Grow(_) | Op::Close | Op::Reopen => return None,
    };
    match step {
        Step::Put { value, .. } | Step::Create { value, .. } | Step::Update { value, .. } => {
            Some(value)
        }
        Step::ListAppend { element, .. } | Step::ListUpdate { element, .. } => Some(element),
        Step::Append { data, .. } => Some(data),
        Step::Delete { .. } | Step::ListTrim { .. } | Step::AdvanceHead { .. } => None,
    }
}

fn shrink_steps(ops: &mut Vec<Op>, at: usize, fails: &dyn Fn(&[Op]) -> bool) {
    let mut step = 0;
    while step < ops[at].steps().len() {
        let mut fewer = ops.clone();
        match &mut fewer[at] {
            Op::Transaction(steps) | Op::Aborted(steps) => drop(steps.remove(step)),
            _ => return,
        }
        match fails(&fewer) {
            true => *ops = fewer,
            false => step += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{delete_step, put, put_step};

    #[test]
    fn what_does_not_matter_is_left_out() {
        let bad = Op::Transaction(vec![put_step(b"a", b"1"), delete_step(b"b")]);
        let ops = vec![put(b"x", b"1"), bad, put(b"y", b"2")];
        let fails = |ops: &[Op]| {
            let mut steps = ops.iter().flat_map(Op::steps);
            steps.any(|step| *step == delete_step(b"b"))
        };
        assert_eq!(
            shrink(&ops, &fails),
            [Op::Transaction(vec![delete_step(b"b")])]
        );
    }
}
