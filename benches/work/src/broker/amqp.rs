//! What an AMQP client sends, as bytes. All of it but the login is on channel 1.

fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u32;
    let head = [&[kind][..], &channel.to_be_bytes(), &len.to_be_bytes()].concat();
    [&head[..], payload, &[0xCE]].concat()
}

fn method(channel: u16, id: [u16; 2], arguments: &[u8]) -> Vec<u8> {
    let [class, method] = id.map(u16::to_be_bytes);
    frame(1, channel, &[&class[..], &method, arguments].concat())
}

/// Everything up to an open channel.
#[must_use]
pub fn hello() -> Vec<Vec<u8>> {
    let login = b"\0guest\0guest";
    let start_ok = [
        &[0, 0, 0, 0][..],
        &short("PLAIN"),
        &(login.len() as u32).to_be_bytes(),
        login,
        &short("en_US"),
    ]
    .concat();
    let tune_ok = [
        &2047u16.to_be_bytes()[..],
        &131_072u32.to_be_bytes(),
        &[0, 0],
    ]
    .concat();
    vec![
        b"AMQP\0\0\x09\x01".to_vec(),
        method(0, [10, 11], &start_ok),
        method(0, [10, 31], &tune_ok),
        method(0, [10, 40], &[&short("/")[..], &[0, 0]].concat()),
        method(1, [20, 10], &[0]),
    ]
}

/// `queue.declare`.
#[must_use]
pub fn declare(queue: &str, durable: bool) -> Vec<u8> {
    let flags = if durable { 0b10 } else { 0 };
    method(
        1,
        [50, 10],
        &[&[0, 0][..], &short(queue), &[flags], &[0; 4]].concat(),
    )
}

/// `queue.bind`.
#[must_use]
pub fn bind(queue: &str, exchange: &str, key: &str) -> Vec<u8> {
    let names = [short(queue), short(exchange), short(key)].concat();
    method(1, [50, 20], &[&[0, 0][..], &names, &[0], &[0; 4]].concat())
}

/// `basic.qos` for each consumer.
#[must_use]
pub fn qos(prefetch: u16) -> Vec<u8> {
    method(
        1,
        [60, 10],
        &[&[0; 4][..], &prefetch.to_be_bytes(), &[0]].concat(),
    )
}

/// `basic.consume`.
#[must_use]
pub fn consume(queue: &str, no_ack: bool) -> Vec<u8> {
    let flags = if no_ack { 0b10 } else { 0 };
    let names = [short(queue), short("c")].concat();
    method(
        1,
        [60, 20],
        &[&[0, 0][..], &names, &[flags], &[0; 4]].concat(),
    )
}

/// A persistent message in its three frames.
#[must_use]
pub fn publish(exchange: &str, key: &str, body: usize) -> Vec<u8> {
    let names = [short(exchange), short(key)].concat();
    // Persistent, and nothing else.
    let size = (body as u64).to_be_bytes();
    let header = [&[0, 60, 0, 0][..], &size, &[0x10, 0, 2]].concat();
    [
        method(1, [60, 40], &[&[0, 0][..], &names, &[0]].concat()),
        frame(2, 1, &header),
        frame(3, 1, &vec![b'a'; body]),
    ]
    .concat()
}

/// `basic.ack` of everything up to this tag.
#[must_use]
pub fn ack(tag: u64) -> Vec<u8> {
    method(1, [60, 80], &[&tag.to_be_bytes()[..], &[1]].concat())
}

/// `basic.nack` of everything up to this tag, which goes back to the queue.
#[must_use]
pub fn requeue(tag: u64) -> Vec<u8> {
    method(1, [60, 120], &[&tag.to_be_bytes()[..], &[0b11]].concat())
}
