//! A broker that cannot be judged is one line, and one that dies is one
//! finding; what could not be asked accuses nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::proxy::{Between, Protocol, Rewrite, reference, through};
use crate::relay::relay;
use crate::{assert_exit, mqspec, stderr, stdout};

const PROTOCOLS: [Protocol; 3] = [Protocol::Amqp, Protocol::Mqtt, Protocol::Stomp];

/// Something else that listens.
fn listens(serve: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn mute(mut stream: TcpStream) {
    while let Ok(1..) = stream.read(&mut [0; 64]) {}
}

fn says(mut stream: TcpStream, bytes: &[u8]) {
    if stream.write_all(bytes).is_ok() {
        mute(stream);
    }
}

#[test]
fn what_is_no_broker_is_one_line_within_seconds() {
    let zeros: fn(TcpStream) = |mut stream| while stream.write_all(&[0; 65536]).is_ok() {};
    let http: fn(TcpStream) = |stream| says(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let ssh: fn(TcpStream) = |stream| says(stream, b"SSH-2.0-OpenSSH_9.2\r\n");
    let closes: fn(TcpStream) = drop;
    for (name, serve) in [
        ("mute", mute as fn(TcpStream)),
        ("zeros", zeros),
        ("http", http),
        ("ssh", ssh),
        ("closes", closes),
    ] {
        let address = listens(serve);
        for protocol in PROTOCOLS {
            let start = Instant::now();
            let url = format!("{}://{address}", protocol.scheme());
            let output = mqspec(&["--timeout", "1", &url]);
            assert_exit(&output, 2);
            assert_eq!(stdout(&output), "", "{name}");
            let text = stderr(&output);
            assert_eq!(text.lines().count(), 1, "{name}: {text}");
            assert!(text.contains("cannot be judged: it "), "{name}: {text}");
            // One answer may take one second; the rest is a slow machine.
            assert!(start.elapsed() < Duration::from_secs(8), "{name} {url}");
        }
    }
}

#[test]
fn who_is_not_let_in_says_so_in_one_line() {
    let (amqp, stomp) = (reference(Protocol::Amqp), reference(Protocol::Stomp));
    for (url, part) in [
        (
            format!("amqp://guest:wrong@{amqp}"),
            "it does not let user \"guest\" in",
        ),
        (
            format!("amqp://{amqp}/no-such-host"),
            "it does not open the virtual host \"no-such-host\"",
        ),
        (
            format!("stomp://guest:wrong@{stomp}"),
            "it lets no client of STOMP in: ERROR",
        ),
        (format!("mqtt://{amqp}"), "it lets no client of MQTT in"),
        (format!("amqp://{stomp}"), "it does not speak AMQP 0-9-1"),
        (format!("stomp://{amqp}"), "it does not speak STOMP"),
        ("127.0.0.1:1883".into(), "write amqp://127.0.0.1:1883, mqtt"),
    ] {
        let output = mqspec(&["--timeout", "10", &url]);
        assert_exit(&output, 2);
        let text = stderr(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(part), "{url}: {text}");
        assert!(!text.contains("wrong"), "{text}");
    }
}

/// Answers a CONNECT with a keep alive of 0, or one of this version, with
/// these bytes; everything else passes.
struct Refuses {
    level: Option<u8>,
    with: &'static [u8],
    refused: bool,
}

impl Between for Refuses {
    fn up(&mut self, bytes: &[u8], back: &mut Vec<u8>) -> Vec<u8> {
        // Name and level begin at the fifth byte, the keep alive is the 11th
        // and 12th; MQTT 3.1 has a name that is longer by two.
        let connect = bytes.first() == Some(&0x10) && bytes.len() > 12;
        let longer = if bytes.get(3) == Some(&6) { 2 } else { 0 };
        let refuse = connect
            && match self.level {
                Some(level) => bytes[8 + longer] == level,
                None => bytes[10 + longer..12 + longer] == [0, 0],
            };
        if refuse {
            self.refused = true;
            back.extend(self.with);
            return Vec::new();
        }
        if self.refused {
            Vec::new()
        } else {
            bytes.to_vec()
        }
    }
}

/// The selectors of a handful of cases that need what they need.
const SOME: [&str; 4] = ["--case", "*/pingresp", "--case", "*/qos0"];

#[test]
fn a_broker_that_wants_a_keep_alive_gets_one() {
    let url = through(Protocol::Mqtt, || {
        Box::new(Refuses {
            level: None,
            with: &[0x20, 0x02, 0x00, 0x02],
            refused: false,
        })
    });
    let output = mqspec(&[&SOME[..], &[&url]].concat());
    assert_exit(&output, 0);
    assert!(
        stdout(&output).contains("6 cases: 6 passed"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_version_that_is_not_offered_is_left_out_and_said_so() {
    let url = through(Protocol::Mqtt, || {
        Box::new(Refuses {
            level: Some(5),
            with: &[0x20, 0x02, 0x00, 0x01],
            refused: false,
        })
    });
    let output = mqspec(&[&SOME[..], &[&url]].concat());
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("4 passed, 2 not applicable"), "{text}");
    assert!(
        text.contains("left out: mqtt5/*: CONNACK [20 02 00 01]"),
        "{text}"
    );
}

/// What is a step on the way to the question is inconclusive, with the step.
#[test]
fn a_setup_that_does_not_work_is_no_failure() {
    /// Closes a channel on which a queue is declared.
    struct NoQueues;
    impl Between for NoQueues {
        fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
            // queue.declare-ok becomes queue.declare-not-quite-ok.
            let mut bytes = bytes.to_vec();
            for at in 0..bytes.len().saturating_sub(3) {
                if bytes[at..at + 4] == [0, 50, 0, 11] {
                    bytes[at + 3] = 99;
                }
            }
            bytes
        }
    }
    let url = through(Protocol::Amqp, || Box::new(NoQueues));
    let output = mqspec(&["--no-preflight", "--case", "amqp/basic.ack/*", &url]);
    assert_exit(&output, 1);
    let text = stdout(&output);
    assert!(text.contains("queue.declare: expected"), "{text}");
    assert!(text.contains("7 inconclusive"), "{text}");
    assert!(!text.contains("failed"), "{text}");
}

/// Dies when a client subscribes to this filter, and comes back when a file
/// appears.
fn mortal(directory: &tempfile::TempDir) -> (String, PathBuf) {
    struct Poison(Arc<AtomicBool>);
    impl Between for Poison {
        fn up(&mut self, bytes: &[u8], _back: &mut Vec<u8>) -> Vec<u8> {
            if bytes.windows(4).any(|window| window == b"a/b#") {
                self.0.store(true, Ordering::SeqCst);
            }
            if self.0.load(Ordering::SeqCst) {
                Vec::new()
            } else {
                bytes.to_vec()
            }
        }
    }
    let dead = Arc::new(AtomicBool::new(false));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let again = directory.path().join("again");
    let file = again.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if dead.load(Ordering::SeqCst) {
                if !file.exists() {
                    continue;
                }
                std::fs::remove_file(&file).unwrap();
                dead.store(false, Ordering::SeqCst);
            }
            let broker = TcpStream::connect(reference(Protocol::Mqtt)).unwrap();
            relay(client, broker, Box::new(Poison(Arc::clone(&dead)))).unwrap();
        }
    });
    (url, again)
}

const DEADLY: &str = "mqtt311/MQTT-4.7.1-2/filter-hash-not-alone";
const AROUND: &str = "mqtt311/MQTT-4.7.1-?/filter-*";

#[test]
fn a_broker_that_dies_is_one_finding_and_no_refusal() {
    let directory = tempfile::tempdir().unwrap();
    let (url, _) = mortal(&directory);
    let args = [
        "--case",
        AROUND,
        "--jobs",
        "1",
        "--timeout",
        "4",
        "--format",
        "json",
    ];
    let output = mqspec(&[&args[..], &[&url]].concat());
    assert_exit(&output, 1);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cases = value["cases"].as_array().unwrap();
    let verdict = |id: &str| {
        let case = cases.iter().find(|case| case["id"] == id);
        case.map(|case| case["verdict"].as_str().unwrap())
    };
    assert_eq!(verdict(DEADLY), Some("crash"), "{value}");
    assert_eq!(value["findings"].as_array().unwrap().len(), 1, "{value}");
    assert!(value["not_asked"].as_u64() > Some(0), "{value}");
    assert!(
        cases.iter().all(|case| case["verdict"] != "fail"),
        "{value}"
    );
}

/// One that lets clients in and has queues no more is as good as dead: what it does not answer
/// then breaks no rule.
#[test]
fn a_broker_that_is_wedged_is_one_finding() {
    static WEDGED: AtomicBool = AtomicBool::new(false);
    let url = through(Protocol::Amqp, || {
        let unchanged = |frame| frame;
        Box::new(
            Rewrite::new(Protocol::Amqp.framing(), unchanged).up(|frame| {
                // A queue.purge wedges everything of the class queue (50).
                let class = frame.get(7..9);
                let is_of_queue = frame.first() == Some(&1) && class == Some(&[0, 50]);
                if is_of_queue && frame.get(9..11) == Some(&[0, 30]) {
                    WEDGED.store(true, Ordering::SeqCst);
                }
                if is_of_queue && WEDGED.load(Ordering::SeqCst) {
                    Vec::new()
                } else {
                    frame
                }
            }),
        )
    });
    let cases = [
        "--case",
        "amqp/queue.*/not-found",
        "--case",
        "amqp/queue.declare/passive-not-found",
    ];
    let how = ["--jobs", "1", "--timeout", "4", "--format", "json", &url];
    let output = mqspec(&[&cases[..], &how].concat());
    assert_exit(&output, 1);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdicts: Vec<_> = value["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| {
            (
                case["id"].as_str().unwrap(),
                case["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            ("amqp/queue.declare/passive-not-found", "pass"),
            ("amqp/queue.purge/not-found", "crash"),
        ]
    );
    assert_eq!(value["findings"].as_array().unwrap().len(), 1, "{value}");
}

#[test]
fn a_restart_command_brings_a_broker_back_and_finds_the_case() {
    let directory = tempfile::tempdir().unwrap();
    let (url, again) = mortal(&directory);
    let restart = format!("touch {}", again.display());
    let args = ["--case", AROUND, "--timeout", "4", "--format", "json"];
    let output = mqspec(&[&args[..], &["--restart-command", &restart, &url]].concat());
    assert_exit(&output, 1);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for case in value["cases"].as_array().unwrap() {
        let expected = if case["id"] == DEADLY {
            "crash"
        } else {
            "pass"
        };
        assert_eq!(case["verdict"], expected, "{case}");
    }
    assert_eq!(value["not_asked"], 0, "{value}");
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_reports_what_it_has() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&sent);
    let url = through(Protocol::Mqtt, move || {
        Box::new(Records(Arc::clone(&record)))
    });
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let child = Command::new(env!("CARGO_BIN_EXE_mqspec"))
        .args(["--jobs", "1", "--format", "json", "--output"])
        .arg(&report)
        .arg(&url)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Some cases have been played, of hundreds.
    until(|| connects(&sent.lock().unwrap()).count() > 30);
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let start = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(start.elapsed() < Duration::from_secs(30));
    let value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert!(!value["cases"].as_array().unwrap().is_empty());
    assert!(value["not_asked"].as_u64() > Some(0));
    let finding = value["findings"][0].as_str().unwrap();
    assert!(finding.starts_with("interrupted"), "{finding}");
}

/// Keeps what clients send.
pub(crate) struct Records(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Between for Records {
    fn up(&mut self, bytes: &[u8], _back: &mut Vec<u8>) -> Vec<u8> {
        self.0.lock().unwrap().extend(bytes);
        bytes.to_vec()
    }
}

/// Waits until it is so.
pub(crate) fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Where the variable headers of CONNECTs of 3.1.1 and 5.0 begin.
pub(crate) fn connects(sent: &[u8]) -> impl Iterator<Item = usize> {
    let head = b"\x00\x04MQTT";
    let windows = sent.windows(head.len()).enumerate();
    windows
        .filter(move |(_, window)| *window == head)
        .map(|(at, _)| at)
}

/// What comes back after all of these, up to one of `last` or the end.
pub(crate) fn answer(address: SocketAddr, sent: &[&[u8]], last: &[&[u8]]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let wait = Some(Duration::from_secs(30));
    stream.set_read_timeout(wait).unwrap();
    stream.write_all(&sent.concat()).unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        seen.extend(&buffer[..count]);
        if last
            .iter()
            .any(|last| seen.windows(last.len()).any(|part| part == *last))
        {
            break;
        }
    }
    seen
}

/// Every queue that is declared while the cases about declaring are asked is
/// gone after the run: a passive declare of it is answered with 404.
#[test]
fn a_run_leaves_no_queue_behind() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&sent);
    let url = through(Protocol::Amqp, move || {
        Box::new(Records(Arc::clone(&record)))
    });
    // What the reference broker is known to do otherwise is not the question.
    let known = "amqp/queue.declare/auto-delete-of-existing";
    let output = mqspec(&["--case", "amqp/queue.declare/*", "--skip", known, &url]);
    assert_exit(&output, 0);
    assert!(!stdout(&output).contains("Left behind"));
    let sent = sent.lock().unwrap();
    // Class and method, the reserved short, and the name with its length.
    let names: Vec<&[u8]> = sent
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == [0, 50, 0, 10])
        .map(|(at, _)| &sent[at + 6..at + 7 + usize::from(sent[at + 6])])
        .filter(|name| name.len() > 1)
        .collect();
    assert!(names.len() > 5, "{}", names.len());
    for name in names {
        let mut declare = vec![0, 50, 0, 10, 0, 0];
        declare.extend(name);
        declare.extend([1, 0, 0, 0, 0]);
        let mut frame = vec![1, 0, 1, 0, 0, 0, declare.len() as u8];
        frame.extend(declare);
        frame.push(0xCE);
        let seen = answer(
            reference(Protocol::Amqp),
            &[
                b"AMQP\x00\x00\x09\x01",
                b"\x01\x00\x00\x00\x00\x00\x24\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN\
                  \x00\x00\x00\x0c\x00guest\x00guest\x05en_US\xCE",
                b"\x01\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x1f\x07\xff\x00\x02\x00\x00\x00\x00\xCE",
                b"\x01\x00\x00\x00\x00\x00\x08\x00\x0a\x00\x28\x01/\x00\x00\xCE",
                b"\x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x0a\x00\xCE",
                &frame,
            ],
            // channel.close and queue.declare-ok.
            &[&[0, 20, 0, 40], &[0, 50, 0, 11]],
        );
        // channel.close 404.
        assert!(
            seen.windows(6)
                .any(|bytes| bytes == [0, 20, 0, 40, 1, 0x94]),
            "{} is there: {seen:02x?}",
            String::from_utf8_lossy(name)
        );
    }
}

/// The retained messages are gone, and the sessions too.
#[test]
fn a_run_leaves_nothing_retained_behind() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&sent);
    let url = through(Protocol::Mqtt, move || {
        Box::new(Records(Arc::clone(&record)))
    });
    let output = mqspec(&[
        "--case",
        "mqtt311/*/retained",
        "--case",
        "mqtt311/*/resumed",
        &url,
    ]);
    assert_exit(&output, 0);
    let sent = sent.lock().unwrap();
    // A CONNECT of 3.1.1 whose session stays: no clean session in its flags.
    let connect = b"\x00\x04MQTT\x04\x00";
    let at = sent
        .windows(connect.len())
        .position(|window| window == connect)
        .unwrap();
    let connect = &sent[at - 2..at + sent[at - 1] as usize];
    let seen = answer(reference(Protocol::Mqtt), &[connect], &[b"\x20\x02"]);
    assert_eq!(seen, b"\x20\x02\x00\x00", "no session present");
}
