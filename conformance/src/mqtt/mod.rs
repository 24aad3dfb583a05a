//! MQTT 5.0, 3.1.1 and 3.1.
//!
//! Rules are named by the statement identifiers of the specification
//! (`[MQTT-3.1.2-3]`), or by the number of the section where a rule has none;
//! in 3.1, which numbers nothing, by the packet. A question that two versions
//! have in common is one function, played once for each.

/// The cases of a section as a table: the question, the level, the rule in each
/// version that has it and what else is seen to be kept (`&`), the title, and what
/// plays it.
macro_rules! cases {
    ($($question:literal $level:ident [$($version:ident $rule:literal $(& $more:literal)*),+]
        $title:literal $run:expr;)*) => {
        &[$($(
            $crate::case::Case {
                id: concat!(cases!(@$version), "/", $rule, "/", $question),
                rule: concat!($rule $(, "; ", $more)*),
                level: $crate::case::Level::$level,
                title: $title,
                run: |ctx| $crate::mqtt::play(ctx, $crate::mqtt::wire::Version::$version, $run),
            },
        )+)*]
    };
    (@V31) => { "mqtt31" };
    (@V311) => { "mqtt311" };
    (@V5) => { "mqtt5" };
}

mod announced;
mod auth;
mod authentication;
mod client;
mod client_limits;
mod connect;
mod connect_form;
mod describe;
mod durable;
mod exactly_once;
mod exchange;
mod flow;
mod forwarding;
mod leftover;
mod malformed;
mod options;
mod play;
mod preflight;
mod property;
mod publish;
mod retained;
mod right;
mod sessions;
mod soak;
mod subscribe;
mod topics;
mod web_socket;
mod will;
mod wire;

use crate::case::{Context, Section};
pub(crate) use describe::describe;
pub(crate) use leftover::{Made, made, remove};
use play::{Play, Played};
pub(crate) use preflight::{alive, carries, preflight};
pub(crate) use soak::LANES;

/// By the order of the specification.
pub(crate) const SECTIONS: &[&Section] = &[
    &connect::SECTION,
    &connect::FIRST,
    &connect_form::SECTION,
    &publish::SECTION,
    &forwarding::SECTION,
    &subscribe::SECTION,
    &options::SECTION,
    &topics::SECTION,
    &retained::SECTION,
    &will::SECTION,
    &sessions::SECTION,
    &flow::SECTION,
    &exchange::SECTION,
    &exactly_once::SECTION,
    &announced::SECTION,
    &client_limits::SECTION,
    &malformed::SECTION,
    &auth::SECTION,
    &authentication::SECTION,
    &right::SECTION,
    &web_socket::SECTION,
    &durable::SECTION,
];

/// What plays a case that is [`timed`](Context::timed).
fn timed(run: impl FnOnce(&Play<'_>) -> Played) -> impl FnOnce(&Play<'_>) -> Played {
    move |p| {
        p.ctx.timed();
        run(p)
    }
}

fn play(
    ctx: &Context<'_>,
    version: wire::Version,
    run: impl FnOnce(&Play<'_>) -> Played,
) -> Played {
    run(&Play::new(ctx, version))
}
