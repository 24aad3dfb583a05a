//! A queue is deleted that has consumers of its own channel: RabbitMQ 3.10.8 answers
//! queue.delete-ok first, and sends basic.cancel after it. py-amqp raises `ConsumerCancelled`
//! out of `queue_delete` otherwise.

use crate::world::World;
use crate::world::amqp::{Amqp, delete_queue};
use amqp_codec::method::queue;

#[test]
fn delete_ok_comes_before_basic_cancel() {
    for durable in [false, true] {
        let mut world = World::stored();
        let mut c = Amqp::connect(&mut world);
        let mut other = Amqp::connect(&mut world);
        let declare = queue::Declare {
            queue: "q",
            durable,
            ..Default::default()
        };
        c.codec.queue_declare(1, &declare).unwrap();
        c.consume(1, "q", "mine", false);
        c.seen(&mut world);
        other.consume(1, "q", "theirs", false);
        other.seen(&mut world);
        // The answer waits for the store where the queue is durable.
        world.store.is_quick = false;
        delete_queue(&mut c, "q", false, false);
        let mut seen = c.seen(&mut world);
        assert_eq!(seen.is_empty(), durable, "{seen:?}");
        world.sync();
        seen.extend(c.seen(&mut world));
        assert_eq!(seen, ["queue.delete-ok 0", "cancelled mine"], "{durable}");
        assert_eq!(other.seen(&mut world), ["cancelled theirs"], "{durable}");
    }
}
