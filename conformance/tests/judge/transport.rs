//! TLS, WebSocket, users and virtual hosts: how a broker is reached.

use mq_server::{Address, BlockingServer, Config, Endpoint, Listen, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::{assert_exit, mqspec, stderr, stdout};

/// An authority, and what it signed for a server and a client, as files.
struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(directory.path().join(name), text).unwrap();
        };
        write("authority.pem", authority.pem());
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let parameters = CertificateParams::new(names).unwrap();
            let certificate = parameters.signed_by(&key, &authority).unwrap();
            write(&format!("{name}.pem"), certificate.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        path.to_str().unwrap().to_owned()
    }
}

fn start(endpoints: &[&str], tls: Option<TlsFiles>) -> BlockingServer {
    let mut config = Config::ephemeral();
    config.listen = Listen::none();
    config.endpoints = endpoints.iter().map(|url| url.parse().unwrap()).collect();
    config.tls = tls;
    BlockingServer::start(config).unwrap()
}

fn port(endpoint: &Endpoint) -> u16 {
    match endpoint.address {
        Address::Tcp(_, port) => port,
        ref other => panic!("{other:?}"),
    }
}

/// Some cases of each protocol, the ends of connections and of our own side among them.
const CASES: [&str; 8] = [
    "amqp/connection.close/*",
    "amqp/content/*",
    "mqtt*/takeover*",
    "mqtt5/*/pubrel-*",
    "mqtt311/*/published-on-*",
    "stomp12/BEGIN/*",
    "stomp12/content-length/*",
    "mqtt*/MQTT-6.0.0-4/*",
];

/// Asks them, over what these schemes mean, of the endpoints in the same order.
fn ask(server: &BlockingServer, schemes: &[&str], more: &[&str]) -> std::process::Output {
    let urls = schemes
        .iter()
        .zip(server.endpoints())
        .map(|(scheme, endpoint)| format!("{scheme}://127.0.0.1:{}", port(endpoint)));
    let mut args: Vec<String> = urls.collect();
    for case in CASES {
        args.extend(["--case".to_owned(), case.to_owned()]);
    }
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    mqspec(&args)
}

const OVER_TLS: [&str; 5] = [
    "amqps://127.0.0.1:0",
    "mqtts://127.0.0.1:0",
    "stomps://127.0.0.1:0",
    "wss://127.0.0.1:0",
    "wss://127.0.0.1:0",
];

#[test]
fn a_broker_is_judged_over_tls_and_websocket() {
    let certificates = Certificates::new();
    let files = TlsFiles::new(
        certificates.path("server.pem"),
        certificates.path("server.key"),
    );
    let server = start(&OVER_TLS, Some(files));
    let authority = certificates.path("authority.pem");
    let schemes = ["amqps", "mqtts", "stomps", "wss", "stomp+wss"];
    for more in [&["--tls-ca", &authority][..], &["--insecure"]] {
        let output = ask(&server, &schemes, more);
        assert_exit(&output, 0);
        assert!(
            !stdout(&output).contains("inconclusive"),
            "{}",
            stdout(&output)
        );
    }
    let output = ask(&server, &schemes, &[]);
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("UnknownIssuer"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_broker_is_judged_over_websocket_without_tls() {
    let server = start(&["ws://127.0.0.1:0", "ws://127.0.0.1:0"], None);
    let output = ask(&server, &["ws", "stomp+ws"], &["--skip", "amqp/*"]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("mqtt5/MQTT-6.0.0-4/subprotocol"), "{text}");
    assert!(!text.contains("not applicable"), "{text}");
}

#[test]
fn a_broker_may_want_a_certificate_of_the_client() {
    let certificates = Certificates::new();
    let files = TlsFiles::new(
        certificates.path("server.pem"),
        certificates.path("server.key"),
    )
    .with_client_ca(certificates.path("authority.pem"));
    let server = start(&["mqtts://127.0.0.1:0"], Some(files));
    let [authority, certificate, key] =
        ["authority.pem", "client.pem", "client.key"].map(|name| certificates.path(name));
    let with = ["--tls-ca", &authority, "--protocol", "mqtt"];
    let own = ["--client-certificate", &certificate, "--client-key", &key];
    assert_exit(&ask(&server, &["mqtts"], &[&with[..], &own].concat()), 0);
    assert_exit(&ask(&server, &["mqtts"], &with), 2);
}

#[test]
fn what_a_url_of_tls_lacks_is_said_in_one_line() {
    for (args, part) in [
        (
            &["mqtts://127.0.0.1:1", "--tls-ca", "/no/such/file"][..],
            "/no/such/file",
        ),
        (
            &["mqtts://127.0.0.1:1", "--client-key", "x"],
            "--client-certificate",
        ),
        (
            &["mqtt://127.0.0.1:1", "--restricted-user", "x"],
            "USER:PASSWORD",
        ),
        (&["http://127.0.0.1:1"], "stomp+wss"),
    ] {
        let output = mqspec(args);
        assert_exit(&output, 2);
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
}

/// Without the names the cases about a second virtual host, a user without rights and
/// restarts cannot be asked; the reference broker has all of them.
#[test]
fn what_wants_more_than_a_url_is_asked_of_the_reference_broker() {
    let cases = [
        "--case",
        "*/virtual-host/*",
        "--case",
        "*/access-refused/*",
        "--case",
        "*/not-a*",
        "--case",
        "*/restart*",
    ];
    let output = mqspec(&cases);
    assert_exit(&output, 0);
    assert!(
        !stdout(&output).contains("not applicable"),
        "{}",
        stdout(&output)
    );
    let server = BlockingServer::start(Config::ephemeral()).unwrap();
    let url = format!("amqp://{}", server.amqp_addr().unwrap());
    let output = mqspec(&[&cases[..], &["--protocol", "amqp", &url]].concat());
    assert_exit(&output, 0);
    for part in [
        "--other-virtual-host",
        "--restricted-user",
        "--restart-command",
    ] {
        assert!(stdout(&output).contains(part), "{}", stdout(&output));
    }
}
