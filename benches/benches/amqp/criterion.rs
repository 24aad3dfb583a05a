//! AMQP 0-9-1 with criterion.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod candidates;

use criterion::{Criterion, criterion_group, criterion_main};

fn amqp(c: &mut Criterion) {
    benches::criterion(c, candidates::groups());
}

criterion_group!(measured, amqp);
criterion_main!(measured);
