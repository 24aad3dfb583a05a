//! Auto-delete exchanges that hang on each other.

use crate::world::World;
use crate::world::amqp::Amqp;
use amqp_codec::method::exchange;

/// More than a stack has room for.
const LENGTH: usize = 8000;

fn declare(client: &mut Amqp, name: &str, auto_delete: bool) {
    let declare = exchange::Declare {
        exchange: name,
        r#type: "fanout",
        auto_delete,
        no_wait: true,
        ..Default::default()
    };
    client.codec.exchange_declare(1, &declare).unwrap();
}

/// An auto-delete exchange goes with its last binding, and is the destination of the
/// last binding of the one before it.
#[test]
fn a_long_chain_goes_with_its_end() {
    let mut world = World::new();
    let mut client = Amqp::connect(&mut world);
    for n in 0..=LENGTH {
        declare(&mut client, &format!("x{n}"), n < LENGTH);
        if n > 0 {
            let bind = exchange::Bind {
                source: &format!("x{}", n - 1),
                destination: &format!("x{n}"),
                no_wait: true,
                ..Default::default()
            };
            client.codec.exchange_bind(1, &bind).unwrap();
        }
    }
    client.seen(&mut world);
    let last = format!("x{LENGTH}");
    let delete = exchange::Delete {
        exchange: &last,
        ..Default::default()
    };
    client.codec.exchange_delete(1, &delete).unwrap();
    assert_eq!(client.seen(&mut world), ["exchange.delete-ok"]);
    let check = exchange::Declare {
        exchange: "x0",
        passive: true,
        ..Default::default()
    };
    client.codec.exchange_declare(1, &check).unwrap();
    let answer = client.answer(&mut world);
    assert!(answer.starts_with("channel.close 404"), "{answer}");
}
