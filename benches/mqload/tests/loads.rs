//! Each load, on each protocol and transport, against our server on this machine.

use std::process::{Command, Output};

use mq_server::{Address, BlockingServer, Config, Listen, TlsFiles};

/// Runs mqload for a moment.
fn mqload(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mqload"))
        .args(["--rounds", "1", "--duration", "0.3", "--warm-up", "0.1"])
        .args(arguments)
        .output()
        .expect("it runs")
}

/// The results of a run that has gone well.
fn results(arguments: &[&str]) -> serde_json::Value {
    let directory = tempfile::tempdir().expect("a directory");
    let json = directory.path().join("results.json");
    let json = json.to_str().expect("UTF-8");
    let output = mqload(&[arguments, &["--json", json]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    let text = std::fs::read_to_string(json).expect("it was written");
    serde_json::from_str(&text).expect("JSON")
}

/// The one round of each comparison's first broker.
fn rounds(results: &serde_json::Value) -> Vec<&serde_json::Value> {
    let comparisons = results.as_array().expect("comparisons");
    comparisons
        .iter()
        .map(|comparison| &comparison["brokers"][0]["rounds"][0])
        .collect()
}

#[test]
fn every_load_goes_through_on_every_protocol() {
    let broker = BlockingServer::start(Config::ephemeral()).expect("it starts");
    let amqp = format!("amqp://guest:guest@{}", broker.amqp_addr().expect("on"));
    let mqtt = format!("mqtt://{}", broker.mqtt_addr().expect("on"));
    let mqtt5 = format!("{mqtt}?version=5.0");
    let stomp = format!("stomp://guest:guest@{}", broker.stomp_addr().expect("on"));
    for url in [amqp, mqtt, mqtt5, stomp] {
        let loads = [
            "pipe",
            "confirmed,size=5k",
            "confirmed,confirm=2,durable=yes",
            "pairs",
            "fan-in",
            "fan-out",
            "fan-out,consumers=6,destinations=3,confirm=1",
            "steady",
        ];
        let mut arguments = vec![url.as_str()];
        for load in &loads {
            arguments.extend(["-l", load]);
        }
        // Consumers that share came with MQTT 5.0.
        let shared = mqload(&[&url, "-l", "pipe,consumers=3"]);
        let can = !url.starts_with("mqtt:") || url.contains("5.0");
        assert_eq!(shared.status.success(), can, "{url}: {shared:?}");
        let results = results(&arguments);
        for (load, round) in loads.iter().zip(rounds(&results)) {
            assert!(
                round["received"].as_u64() > Some(0),
                "{url} {load}: {round}"
            );
            assert_eq!(round["lost"], 0, "{url} {load}: {round}");
            assert!(
                round["latency"]["p50"].as_f64() > Some(1.0),
                "{url} {load}: {round}"
            );
            assert!(
                round["bystander"]["count"].as_u64() > Some(0),
                "{url} {load}: {round}"
            );
            let confirmed = round["confirm"]["count"].as_u64();
            let confirms = load.contains("confirm") || ["pairs", "steady"].contains(load);
            assert_eq!(confirmed > Some(0), confirms, "{url} {load}: {round}");
        }
    }
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let broker = BlockingServer::start(Config::ephemeral()).expect("it starts");
    let mqtt = format!("mqtt://{}", broker.mqtt_addr().expect("on"));
    let results = results(&[&mqtt, "-l", "steady,rate=1000,publishers=4,bystander=no"]);
    let round = rounds(&results)[0];
    // 0.3 s of them, but for what is on the edges.
    let due =
        round["sent"].as_u64().expect("a number") + round["unsent"].as_u64().expect("a number");
    assert!((296..=304).contains(&due), "{round}");
}

#[test]
fn connections_come_and_go_and_stay() {
    let broker = BlockingServer::start(Config::ephemeral()).expect("it starts");
    let urls = [
        format!("amqp://guest:guest@{}", broker.amqp_addr().expect("on")),
        format!("mqtt://{}", broker.mqtt_addr().expect("on")),
        format!("stomp://guest:guest@{}", broker.stomp_addr().expect("on")),
    ];
    for url in &urls {
        let loads = ["-l", "storm,connections=100", "-l", "idle,connections=100"];
        let results = results(&[&[url.as_str()], &loads[..]].concat());
        for round in rounds(&results) {
            assert_eq!(round["connect"]["count"], 100, "{url}: {round}");
            assert!(
                round["bystander"]["count"].as_u64() > Some(0),
                "{url}: {round}"
            );
        }
    }
}

#[test]
fn tls_and_web_socket_carry_it_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let (certificate, key) = (
        directory.path().join("cert.pem"),
        directory.path().join("key.pem"),
    );
    std::fs::write(&certificate, certified.cert.pem()).expect("written");
    std::fs::write(&key, certified.signing_key.serialize_pem()).expect("written");
    let certificate = certificate.to_str().expect("UTF-8");

    let mut config = Config::ephemeral();
    config.listen = Listen::none();
    config.tls = Some(TlsFiles::new(certificate, &key));
    let endpoints = ["mqtts", "amqps", "stomps", "ws", "wss"];
    config.endpoints = endpoints
        .map(|scheme| {
            format!("{scheme}://127.0.0.1:0")
                .parse()
                .expect("an endpoint")
        })
        .into();
    let broker = BlockingServer::start(config).expect("it starts");
    let port = |at: usize| match broker.endpoints()[at].address {
        Address::Tcp(_, port) => port,
        ref other => panic!("{other:?}"),
    };
    let urls = [
        format!("mqtts://localhost:{}", port(0)),
        format!("amqps://guest:guest@localhost:{}", port(1)),
        format!("stomps://localhost:{}", port(2)),
        format!("mqtt+ws://localhost:{}/mqtt", port(3)),
        format!("stomp+ws://localhost:{}/stomp", port(3)),
        format!("mqtt+wss://localhost:{}/mqtt", port(4)),
        format!("stomp+wss://localhost:{}/ws", port(4)),
    ];
    for url in &urls {
        let loads = ["-l", "confirmed,size=20k", "-l", "fan-out,consumers=3"];
        let results = results(&[&[url.as_str(), "--ca", certificate], &loads[..]].concat());
        for round in rounds(&results) {
            assert!(round["received"].as_u64() > Some(0), "{url}: {round}");
            assert_eq!(round["lost"], 0, "{url}: {round}");
        }
    }
    // What is not trusted is not spoken to.
    let output = mqload(&[&urls[0]]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn tables_and_pictures_are_written() {
    let broker = BlockingServer::start(Config::ephemeral()).expect("it starts");
    let url = format!("ours=mqtt://{}", broker.mqtt_addr().expect("on"));
    // Nobody listens there, and that is not the end of it.
    let nobody = "nobody=mqtt://127.0.0.1:9";
    let directory = tempfile::tempdir().expect("a directory");
    let picture = directory.path().join("picture");
    let output = mqload(&[
        &url,
        nobody,
        "-l",
        "steady",
        "--plot",
        picture.to_str().expect("UTF-8"),
    ]);
    assert_eq!(output.status.code(), Some(1), "one was not measured");
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        table.contains("| ours | ") && table.contains("(1.00)"),
        "{table}"
    );
    assert!(table.contains("| nobody | "), "{table}");
    for theme in ["light", "dark"] {
        let file = directory.path().join(format!("picture-{theme}.svg"));
        let svg = std::fs::read_to_string(file).expect("it was written");
        assert!(svg.contains("ours") && svg.contains("polyline"), "{svg}");
    }
    assert_eq!(mqload(&["gopher://127.0.0.1"]).status.code(), Some(2));
}
