//! STOMP, measured with criterion.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod candidates;

use criterion::{Criterion, criterion_group, criterion_main};

fn measure(c: &mut Criterion) {
    benches::criterion(c, candidates::groups());
}

criterion_group!(benches, measure);
criterion_main!(benches);
