//! How large a frame may be (sections 2.3.3 and 4.2.3), in either role.

mod peers;

use amqp_codec::connection::{ClientConfig, ReplyError, ServerConfig};
use amqp_codec::{Limits, ReplyCode};
use peers::*;

/// A peer that wants no limit may still refuse what is too large for it (fields
/// frame-max of tune and tune-ok); what it refuses is what its limits say,
/// also where RabbitMQ's eight octets over the agreed frame-max lie above.
// shows: section 2.3.3 / limits hold
#[test]
fn nothing_over_the_own_limit_is_taken() {
    const LIMIT: usize = 8192;
    let limits = Limits::default().with_frame_size(LIMIT as u32);
    // A frame of the limit, and one of an octet more, on a channel that is closing,
    // so that its payload does not matter.
    let fits = frame(3, 1, &vec![0; LIMIT - 8]);
    let over = frame(3, 1, &vec![0; LIMIT - 7]);

    let mut config = ServerConfig::default();
    (config.limits, config.frame_max) = (limits, 0);
    let mut server = open_server(config, LIMIT as u32, 0);
    let error = ReplyError::new(ReplyCode::NotFound, 1, "");
    server.fail(&error).unwrap();
    assert_eq!(feed_server(&mut server, NOW, &fits), Ok(vec![]));
    let error = feed_server(&mut server, NOW, &over).unwrap_err();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::FrameError);

    // The server offers no limit, or more than the client takes.
    for offered in [0, 131_072] {
        let mut config = ClientConfig::default();
        config.limits = limits;
        let mut client = open_client(config, offered, 0);
        assert_eq!(client.tuned().frame_max, LIMIT as u32);
        client.close_channel(1).unwrap();
        assert_eq!(feed_client(&mut client, NOW, &fits), Ok(vec![]));
        let error = feed_client(&mut client, NOW, &over).unwrap_err();
        assert_eq!(error.reply().unwrap().reply_code, ReplyCode::FrameError);
    }
}
