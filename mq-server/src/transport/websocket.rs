//! WebSocket (RFC 6455): the handshake, which says what is inside.

use std::io;

use mq_core::Protocol;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::BoxSocket;

/// Sub-protocols and what they are. MQTT 5.0 section 6 names `mqtt`; `mqttv3.1` is what
/// clients of 3.1 send. Those of STOMP are in IANA's registry.
const SUBPROTOCOLS: [(&str, Protocol); 5] = [
    ("mqtt", Protocol::Mqtt),
    ("mqttv3.1", Protocol::Mqtt),
    ("v12.stomp", Protocol::Stomp),
    ("v11.stomp", Protocol::Stomp),
    ("v10.stomp", Protocol::Stomp),
];

/// Paths, and the protocol of those that have one.
const PATHS: [(&str, Option<Protocol>); 4] = [
    ("/mqtt", Some(Protocol::Mqtt)),
    ("/stomp", Some(Protocol::Stomp)),
    ("/ws", None),
    ("/", None),
];

/// Does the handshake. Returns the stream and what is spoken over it.
pub(super) async fn accept(
    socket: BoxSocket,
    message_size: usize,
) -> io::Result<(WebSocketStream<BoxSocket>, Protocol)> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(message_size))
        .max_frame_size(Some(message_size));
    let mut spoken = None;
    #[expect(clippy::result_large_err, reason = "the error is the library's")]
    let choose = |request: &Request, mut response: Response| {
        let (protocol, subprotocol) =
            choose(request).map_err(|(status, text)| refusal(status, text))?;
        spoken = Some(protocol);
        if let Some(subprotocol) = subprotocol {
            let name = HeaderValue::from_static(subprotocol);
            response
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_PROTOCOL, name);
        }
        Ok(response)
    };
    let stream =
        tokio_tungstenite::accept_hdr_async_with_config(socket, choose, Some(config)).await;
    let stream = stream.map_err(io::Error::other)?;
    let protocol = spoken.ok_or_else(|| io::Error::other("a handshake without a request"))?;
    Ok((stream, protocol))
}

/// A protocol, and the sub-protocol that is answered.
type Choice = (Protocol, Option<&'static str>);

/// What is spoken, and the sub-protocol to answer: the first of the client's that is known.
fn choose(request: &Request) -> Result<Choice, (StatusCode, &'static str)> {
    let path = request.uri().path();
    let Some((_, by_path)) = PATHS.into_iter().find(|(known, _)| *known == path) else {
        return Err((StatusCode::NOT_FOUND, "There is /mqtt, /stomp and /ws.\n"));
    };
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offered
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let chosen = offered.find_map(|name| {
        SUBPROTOCOLS
            .into_iter()
            .find(|(known, protocol)| *known == name && by_path.is_none_or(|p| p == *protocol))
    });
    match (chosen, by_path) {
        (Some((name, protocol)), _) => Ok((protocol, Some(name))),
        // STOMP over WebSocket is spoken without a sub-protocol too. A client of MQTT has
        // to offer it [MQTT-6.0.0-3]; one that does not is served all the same.
        (None, Some(protocol)) => Ok((protocol, None)),
        (None, None) => Err((
            StatusCode::BAD_REQUEST,
            "Offer one of the sub-protocols mqtt, v12.stomp, v11.stomp and v10.stomp.\n",
        )),
    }
}

fn refusal(status: StatusCode, text: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(text.to_owned()));
    *response.status_mut() = status;
    response
}
