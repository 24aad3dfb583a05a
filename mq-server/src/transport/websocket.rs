//! WebSocket (RFC 6455): the handshake, which says what is inside.

use std::io;
use std::time::Duration;

use mq_core::Protocol;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request, Response, write_response,
};
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

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

/// How long a client that was refused has to close its side. A reset could take the answer
/// from it.
const CLOSES: Duration = Duration::from_secs(1);

/// Does the handshake. Returns the stream and what is spoken over it. Who asks for something
/// else gets an answer of HTTP first.
pub(super) async fn accept(
    mut socket: BoxSocket,
    message_size: usize,
) -> io::Result<(WebSocketStream<BoxSocket>, Protocol)> {
    let mut spoken = None;
    #[expect(clippy::result_large_err, reason = "the error is the library's")]
    let choose = |request: &Request, mut response: Response| {
        let (protocol, subprotocol) = choose(request).map_err(Refusal::response)?;
        spoken = Some(protocol);
        if let Some(subprotocol) = subprotocol {
            let name = HeaderValue::from_static(subprotocol);
            response
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_PROTOCOL, name);
        }
        Ok(response)
    };
    let shaken = tokio_tungstenite::accept_hdr_async(&mut socket, choose).await;
    if let Err(error) = shaken.map(drop) {
        let answered = timeout(CLOSES, refuse(&mut socket, &error)).await;
        if let Ok(Err(error)) = answered {
            tracing::debug!(%error, "cannot answer");
        }
        return Err(io::Error::other(error));
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(message_size))
        .max_frame_size(Some(message_size));
    // The handshake has read nothing after the request.
    let stream = WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await;
    let protocol = spoken.ok_or_else(|| io::Error::other("a handshake without a request"))?;
    Ok((stream, protocol))
}

/// Answers a request that is no handshake, and waits until the client has closed its side.
async fn refuse(socket: &mut BoxSocket, error: &Error) -> io::Result<()> {
    match Refusal::of(error) {
        Some(refusal) => {
            let response = refusal.response();
            let mut answer = Vec::new();
            write_response(&mut answer, &response).map_err(io::Error::other)?;
            answer.extend(response.body().iter().flat_map(|text| text.bytes()));
            socket.write_all(&answer).await?;
        }
        // The answer has been sent by the library.
        None if matches!(error, Error::Http(_)) => {}
        None => return Ok(()),
    }
    socket.shutdown().await?;
    copy(socket, &mut sink()).await?;
    Ok(())
}

/// A protocol, and the sub-protocol that is answered.
type Choice = (Protocol, Option<&'static str>);

/// What is spoken, and the sub-protocol to answer: the first of the client's that is known.
fn choose(request: &Request) -> Result<Choice, Refusal> {
    let path = request.uri().path();
    let Some((_, by_path)) = PATHS.into_iter().find(|(known, _)| *known == path) else {
        let text = "There is /mqtt, /stomp and /ws.\n";
        return Err(Refusal::new(StatusCode::NOT_FOUND, text));
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
        (None, None) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "Offer one of the sub-protocols mqtt, v12.stomp, v11.stomp and v10.stomp.\n",
        )),
    }
}

/// An answer other than the handshake's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    /// The header that goes with the status.
    header: Option<(HeaderName, &'static str)>,
    text: &'static str,
}
impl Refusal {
    const fn new(status: StatusCode, text: &'static str) -> Self {
        Self {
            status,
            header: None,
            text,
        }
    }

    fn with(self, name: HeaderName, value: &'static str) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }

    /// The answer to what is no handshake (RFC 6455 section 4.2.2), where the client has no
    /// answer yet and may be there to read one. Status 426 names what to upgrade to and 405
    /// the methods that there are (RFC 9110 sections 15.5.22 and 15.5.6).
    fn of(error: &Error) -> Option<Self> {
        const BAD: Refusal = Refusal::new(
            StatusCode::BAD_REQUEST,
            "This is no WebSocket handshake of RFC 6455.\n",
        );
        let Error::Protocol(wrong) = error else {
            return match error {
                Error::HttpFormat(_) | Error::Url(_) | Error::Utf8(_) => Some(BAD),
                Error::Capacity(_) | Error::AttackAttempt => Some(Self::new(
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "These are too many headers.\n",
                )),
                _ => None,
            };
        };
        Some(match wrong {
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader => Self::new(
                StatusCode::UPGRADE_REQUIRED,
                "WebSocket is spoken here, at /mqtt, /stomp and /ws.\n",
            ),
            ProtocolError::MissingSecWebSocketVersionHeader => Self::new(
                StatusCode::UPGRADE_REQUIRED,
                "Version 13 of WebSocket is spoken here.\n",
            )
            .with(header::SEC_WEBSOCKET_VERSION, "13"),
            ProtocolError::WrongHttpMethod => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "A WebSocket begins with GET.\n",
            )
            .with(header::ALLOW, "GET"),
            ProtocolError::WrongHttpVersion => Self::new(
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "A WebSocket begins with HTTP/1.1.\n",
            ),
            ProtocolError::HandshakeIncomplete => return None,
            _ => BAD,
        })
    }

    fn response(self) -> ErrorResponse {
        let mut response = ErrorResponse::new(Some(self.text.to_owned()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(header::CONTENT_LENGTH, self.text.len().into());
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // Whoever sends Upgrade says so in Connection (RFC 9110 section 7.8).
            let both = HeaderValue::from_static("close, upgrade");
            headers.insert(header::CONNECTION, both);
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
