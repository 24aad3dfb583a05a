//! TLS, WebSocket, Unix sockets, the PROXY protocol, and one port for everything.

use crate::certificates::Certificates;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use mq_server::{Address, Config, Endpoint, Listen, Server, TlsFiles};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// MQTT 3.1.1 section 3.1: clean session, client identifier `c`; and section 3.2: accepted.
const MQTT: (&[u8], &[u8]) = (b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c", b"\x20\x02\0\0");
const STOMP: (&[u8], &[u8]) = (
    b"CONNECT\naccept-version:1.2\nhost:/\n\n\0",
    b"CONNECTED\nversion:1.2\n",
);
/// AMQP 0-9-1 section 2.3.5: connection.start on channel 0. Its length is not looked at.
const AMQP: (&[u8], &[u8]) = (b"AMQP\0\0\x09\x01", b"\x01\0\0\0");

/// PROXY protocol 2.2: TCP over IPv4, from 192.0.2.7:4711 to 192.0.2.1:1883.
const PROXY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\x02\x07\xC0\0\x02\x01\x12\x67\x07\x5B";

async fn start(endpoints: &[&str], tls: Option<TlsFiles>) -> Server {
    let mut config = Config::ephemeral();
    config.listen = Listen::none();
    config.endpoints = endpoints.iter().map(|url| url.parse().unwrap()).collect();
    config.tls = tls;
    config.handshake_timeout = Duration::from_millis(500);
    Server::start(config).await.unwrap()
}

fn port(endpoint: &Endpoint) -> u16 {
    match endpoint.address {
        Address::Tcp(_, port) => port,
        ref other => panic!("{other:?}"),
    }
}

async fn tcp(server: &Server, index: usize) -> TcpStream {
    let port = port(&server.endpoints()[index]);
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Says the first and hears the second.
async fn greets(mut socket: impl AsyncRead + AsyncWrite + Unpin, words: (&[u8], &[u8])) {
    socket.write_all(words.0).await.unwrap();
    let mut heard = vec![0; words.1.len()];
    socket.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, words.1);
}

/// Hears the end of the stream, and nothing before.
async fn is_refused(mut socket: impl AsyncRead + Unpin) {
    let mut heard = Vec::new();
    // A reset is as good.
    let _ = socket.read_to_end(&mut heard).await;
    assert_eq!(heard, b"");
}

impl Certificates {
    fn connector(&self, with_certificate: bool) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.file("ca.pem"))).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if with_certificate {
            let key = PrivateKeyDer::from_pem_file(self.file("client.key")).unwrap();
            let chain = vec![certificate(&self.file("client.pem"))];
            builder.with_client_auth_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        TlsConnector::from(Arc::new(config))
    }

    async fn connect(&self, socket: TcpStream) -> impl AsyncRead + AsyncWrite + Unpin + use<> {
        let name = ServerName::try_from("localhost").unwrap();
        self.connector(false).connect(name, socket).await.unwrap()
    }
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

#[tokio::test]
async fn every_protocol_over_tls() {
    let certificates = Certificates::new();
    let urls = [
        "amqps://127.0.0.1:0",
        "mqtts://127.0.0.1:0",
        "stomps://127.0.0.1:0",
    ];
    let server = start(&urls, Some(certificates.of_server())).await;
    for (index, words) in [AMQP, MQTT, STOMP].into_iter().enumerate() {
        greets(certificates.connect(tcp(&server, index).await).await, words).await;
    }
    // Plain bytes on a port with TLS.
    let mut plain = tcp(&server, 1).await;
    plain.write_all(MQTT.0).await.unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;
    // RFC 8446 section 6: an alert is all that is said.
    assert!(heard.is_empty() || heard[0] == 0x15, "{heard:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn clients_without_a_certificate_are_refused_where_one_is_wanted() {
    let certificates = Certificates::new();
    let files = certificates
        .of_server()
        .with_client_ca(certificates.file("ca.pem"));
    let server = start(&["mqtts://127.0.0.1:0"], Some(files)).await;
    let name = || ServerName::try_from("localhost").unwrap();
    let known = certificates.connector(true);
    let socket = known.connect(name(), tcp(&server, 0).await).await.unwrap();
    greets(socket, MQTT).await;
    // In TLS 1.3 the client learns of it when it reads.
    let stranger = certificates.connector(false);
    if let Ok(mut socket) = stranger.connect(name(), tcp(&server, 0).await).await {
        let _ = socket.write_all(MQTT.0).await;
        let mut heard = Vec::new();
        assert!(socket.read_to_end(&mut heard).await.is_err());
        assert!(heard.is_empty());
    }
    server.shutdown().await;
}

/// The user of a client without credentials is who its certificate says.
#[tokio::test]
async fn certificates_name_users() {
    let certificates = Certificates::new();
    let files = certificates
        .of_server()
        .with_client_ca(certificates.file("ca.pem"));
    // Where nobody in particular is let in, and where that is of the listener.
    for (everywhere, option) in [(false, ""), (true, "&allow_anonymous=no")] {
        for (user, answer) in [("localhost", b"\x20\x02\0\0"), ("else", b"\x20\x02\0\x05")] {
            let mut config = Config::ephemeral();
            config.listen = Listen::none();
            let url = format!("mqtts://127.0.0.1:0?identity=subject_alternative_name{option}");
            let without = format!("mqtts://127.0.0.1:0?{}", option.trim_start_matches('&'));
            config.endpoints = vec![url.parse().unwrap(), without.parse().unwrap()];
            config.tls = Some(files.clone());
            config.broker.allow_anonymous = everywhere;
            config.broker.users = [(user.to_owned(), String::new())].into();
            let server = Server::start(config).await.unwrap();
            let connector = certificates.connector(true);
            for (index, answer) in [(0, answer), (1, b"\x20\x02\0\x05")] {
                let name = ServerName::try_from("localhost").unwrap();
                let socket = connector.connect(name, tcp(&server, index).await);
                greets(socket.await.unwrap(), (MQTT.0, answer)).await;
            }
            server.shutdown().await;
        }
    }
}

#[tokio::test]
async fn users_from_certificates_that_nobody_asks_for() {
    let certificates = Certificates::new();
    let mut config = Config::ephemeral();
    config.endpoints = vec!["mqtts://127.0.0.1:0?identity=common_name".parse().unwrap()];
    config.tls = Some(certificates.of_server());
    let error = Server::start(config).await.unwrap_err().to_string();
    assert!(error.contains("tls.client_ca"), "{error}");
}

#[tokio::test]
async fn certificates_change_while_serving() {
    let (old, new) = (Certificates::new(), Certificates::new());
    let server = start(&["mqtts://127.0.0.1:0"], Some(old.of_server())).await;
    greets(old.connect(tcp(&server, 0).await).await, MQTT).await;
    for name in ["server.pem", "server.key"] {
        std::fs::copy(new.file(name), old.file(name)).unwrap();
    }
    server.reload(&Config::ephemeral()).await.unwrap();
    greets(new.connect(tcp(&server, 0).await).await, MQTT).await;
    // What cannot be used changes nothing.
    std::fs::write(old.file("server.pem"), "nonsense").unwrap();
    assert!(server.reload(&Config::ephemeral()).await.is_err());
    greets(new.connect(tcp(&server, 0).await).await, MQTT).await;
    server.shutdown().await;
}

/// Path, offered sub-protocols, the one that is answered, and what is spoken. MQTT 5.0
/// section 6 and the STOMP sub-protocols of IANA's registry.
#[tokio::test]
async fn web_socket() {
    let server = start(&["ws://127.0.0.1:0"], None).await;
    let rows = [
        ("/mqtt", Some("mqtt"), Some("mqtt"), MQTT),
        ("/mqtt", Some("mqttv3.1"), Some("mqttv3.1"), MQTT),
        ("/mqtt", None, None, MQTT),
        ("/ws", Some("mqtt"), Some("mqtt"), MQTT),
        (
            "/ws",
            Some("chat, v12.stomp, v11.stomp"),
            Some("v12.stomp"),
            STOMP,
        ),
        ("/stomp", Some("v10.stomp"), Some("v10.stomp"), STOMP),
        ("/stomp", None, None, STOMP),
    ];
    for (path, offered, answered, (said, heard)) in rows {
        let request = request(path, offered);
        let socket = tcp(&server, 0).await;
        let (mut socket, response) = tokio_tungstenite::client_async(request, socket)
            .await
            .unwrap();
        let chosen = response.headers().get("sec-websocket-protocol");
        assert_eq!(
            chosen.map(|name| name.to_str().unwrap()),
            answered,
            "{path} {offered:?}"
        );
        // The stream is cut into messages anywhere.
        let (first, second) = said.split_at(5);
        for part in [first, second] {
            socket.send(Message::binary(part.to_vec())).await.unwrap();
        }
        let message = socket.next().await.unwrap().unwrap();
        assert!(message.into_data().starts_with(heard), "{path}");
    }
    let refused = [
        ("/other", Some("mqtt"), 404),
        ("/ws", None, 400),
        ("/ws", Some("chat"), 400),
    ];
    for (path, offered, status) in refused {
        let socket = tcp(&server, 0).await;
        let answer = tokio_tungstenite::client_async(request(path, offered), socket).await;
        match answer {
            Err(Error::Http(response)) => assert_eq!(response.status(), status),
            other => panic!("{path}: {other:?}"),
        }
    }
    server.shutdown().await;
}

/// What is no handshake, the status that answers it, and the header that the status wants:
/// RFC 6455 sections 4.2.1 and 4.4, RFC 9110 sections 15.5.6 (405), 15.5.22 (426) and 15.6.6.
#[tokio::test]
async fn http_that_is_no_web_socket() {
    let handshake = |path: &str, rest: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{rest}\r\n"
        )
    };
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let rows = [
        (
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
            426,
            "upgrade: websocket",
        ),
        (
            "GET /mqtt HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
            426,
            "connection: close, upgrade",
        ),
        (
            handshake("/mqtt", &format!("Sec-WebSocket-Version: 8\r\n{key}")),
            426,
            "sec-websocket-version: 13",
        ),
        (
            handshake("/mqtt", "Sec-WebSocket-Version: 13\r\n"),
            400,
            "connection: close",
        ),
        (
            handshake("/other", &format!("Sec-WebSocket-Version: 13\r\n{key}")),
            404,
            "connection: close",
        ),
        (
            "POST /mqtt HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody".to_owned(),
            405,
            "allow: GET",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
            405,
            "allow: GET",
        ),
        (
            "GET / HTTP/1.0\r\n\r\n".to_owned(),
            505,
            "connection: close",
        ),
        (
            "GET / HTTP/1.1\r\nno header\r\n\r\n".to_owned(),
            400,
            "connection: close",
        ),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200)),
            431,
            "connection: close",
        ),
    ];
    let server = start(&["ws://127.0.0.1:0", "any://127.0.0.1:0"], None).await;
    for (request, status, header) in rows {
        for index in 0..2 {
            let mut socket = tcp(&server, index).await;
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap();
            assert!(
                line.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}{line}"
            );
            let length = format!("content-length: {}", body.len());
            for wanted in [header, "content-type: text/plain", &length] {
                assert!(
                    lines.clone().any(|line| line == wanted),
                    "{request}{answer}"
                );
            }
            assert_eq!(body.matches('\n').count(), 1, "{body}");
            assert!(body.ends_with('\n'), "{body}");
        }
    }
    server.shutdown().await;
}

fn request(path: &str, offered: Option<&str>) -> http::Request {
    let mut request = format!("ws://localhost{path}")
        .into_client_request()
        .unwrap();
    if let Some(offered) = offered {
        let offered = offered.parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offered);
    }
    request
}

mod http {
    pub(super) type Request = tokio_tungstenite::tungstenite::handshake::client::Request;
}

/// STOMP answers text with text; MQTT in text ends the connection [MQTT-6.0.0-1].
#[tokio::test]
async fn text_over_web_socket() {
    let server = start(&["ws://127.0.0.1:0"], None).await;
    for (path, words, answered) in [("/stomp", STOMP, true), ("/mqtt", MQTT, false)] {
        let socket = tcp(&server, 0).await;
        let socket = tokio_tungstenite::client_async(request(path, None), socket).await;
        let (mut socket, _) = socket.unwrap();
        let text = String::from_utf8(words.0.to_vec()).unwrap();
        socket.send(Message::text(text)).await.unwrap();
        match socket.next().await {
            Some(Ok(Message::Text(text))) if answered => assert!(text.starts_with("CONNECTED")),
            Some(Ok(Message::Close(_)) | Err(_)) | None if !answered => {}
            other => panic!("{path}: {other:?}"),
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn unix_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mq.sock");
    let url = format!("stomp+unix://{}", path.display());
    let server = start(&[&url], None).await;
    greets(UnixStream::connect(&path).await.unwrap(), STOMP).await;
    server.shutdown().await;
    assert!(!path.exists());
    // The file of a server that was killed is in nobody's way; that of a live one is.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = start(&[&url], None).await;
    let mut config = Config::ephemeral();
    config.endpoints = vec![url.parse().unwrap()];
    let error = Server::start(config).await.unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
    greets(UnixStream::connect(&path).await.unwrap(), STOMP).await;
    server.shutdown().await;
}

#[tokio::test]
async fn behind_a_proxy() {
    let server = start(&["mqtt://127.0.0.1:0?proxy"], None).await;
    let said = [PROXY, MQTT.0].concat();
    greets(tcp(&server, 0).await, (&said, MQTT.1)).await;
    let mut without = tcp(&server, 0).await;
    without.write_all(&[MQTT.0, MQTT.0].concat()).await.unwrap();
    is_refused(without).await;
    server.shutdown().await;
}

#[tokio::test]
async fn one_port_for_everything() {
    let certificates = Certificates::new();
    let server = start(&["any://127.0.0.1:0"], Some(certificates.of_server())).await;
    for words in [AMQP, MQTT, STOMP] {
        greets(tcp(&server, 0).await, words).await;
        greets(certificates.connect(tcp(&server, 0).await).await, words).await;
    }
    let request = request("/mqtt", Some("mqtt"));
    let socket = certificates.connect(tcp(&server, 0).await).await;
    let (mut socket, _) = tokio_tungstenite::client_async(request, socket)
        .await
        .unwrap();
    socket.send(Message::binary(MQTT.0)).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    assert_eq!(answer.into_data(), MQTT.1);
    let mut other = tcp(&server, 0).await;
    other.write_all(b"HELO localhost\r\n").await.unwrap();
    is_refused(other).await;
    server.shutdown().await;
}

/// A peer that says nothing does not keep its place.
#[tokio::test]
async fn a_handshake_takes_no_longer_than_it_may() {
    let server = start(&["any://127.0.0.1:0", "ws://127.0.0.1:0"], None).await;
    for index in 0..2 {
        is_refused(tcp(&server, index).await).await;
    }
    server.shutdown().await;
}

/// Strangers that begin each kind of handshake and go no further keep nobody from the server, and
/// no place for longer than they may.
#[tokio::test]
async fn unfinished_handshakes_keep_nobody_out() {
    let certificates = Certificates::new();
    let endpoints = [
        "mqtts://127.0.0.1:0",
        "ws://127.0.0.1:0",
        "mqtt://127.0.0.1:0?proxy",
        "any://127.0.0.1:0",
    ];
    let server = start(&endpoints, Some(certificates.of_server())).await;
    // RFC 8446 section 5.1: a handshake record of 512 bytes, of which the first come.
    let begun: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03",
        b"GET /mqtt HTTP/1.1\r\nUpgrade: web",
        &PROXY[..14],
        b"\r\n",
    ];
    for (index, bytes) in begun.into_iter().enumerate() {
        let mut strangers = Vec::new();
        for _ in 0..100 {
            let mut stranger = tcp(&server, index).await;
            stranger.write_all(bytes).await.unwrap();
            strangers.push(stranger);
        }
        let bystander = async {
            match index {
                0 => greets(certificates.connect(tcp(&server, 0).await).await, MQTT).await,
                2 => {
                    let said = [PROXY, MQTT.0].concat();
                    greets(tcp(&server, 2).await, (&said, MQTT.1)).await;
                }
                _ => greets(tcp(&server, 3).await, MQTT).await,
            }
        };
        let served = tokio::time::timeout(Duration::from_secs(10), bystander).await;
        assert!(served.is_ok(), "{}", endpoints[index]);
        for stranger in strangers {
            is_refused(stranger).await;
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn tls_without_a_certificate_does_not_start() {
    let mut config = Config::ephemeral();
    config.endpoints = vec!["mqtts://127.0.0.1:0".parse().unwrap()];
    let error = Server::start(config.clone()).await.unwrap_err().to_string();
    assert!(error.contains("needs a certificate"), "{error}");
    config.tls = Some(TlsFiles::new("/nowhere.pem", "/nowhere.key"));
    let error = Server::start(config).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere.pem"), "{error}");
}
