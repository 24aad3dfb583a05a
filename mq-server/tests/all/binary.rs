//! The `mq-server` binary: what it prints, and how it ends.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

const ANY_PORTS: [&str; 4] = [
    "--ephemeral",
    "--amqp=127.0.0.1:0",
    "--mqtt=127.0.0.1:0",
    "--stomp=127.0.0.1:0",
];

fn server() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mq-server"))
}

/// A server that is killed if the test ends before it does.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(args: &[&str]) -> Self {
        Self::start_with(args, Stdio::null())
    }

    pub(crate) fn start_with(args: &[&str], stderr: Stdio) -> Self {
        let mut child = server()
            .args(args)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("still running");
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

#[test]
fn it_prints_a_line_for_each_listener_that_is_on() {
    let mut running = Running::start(&[
        "--ephemeral",
        "--amqp=127.0.0.1:0",
        "--mqtt=off",
        "--stomp=127.0.0.1:0",
    ]);
    for protocol in ["AMQP", "STOMP"] {
        let line = running.line();
        let address = line
            .strip_prefix(&format!("{protocol} listening on "))
            .unwrap_or_else(|| panic!("{line:?}"));
        TcpStream::connect(address).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn sigterm_and_ctrl_c_end_it_with_success() {
    for signal in ["TERM", "INT"] {
        let mut running = Running::start(&ANY_PORTS);
        let line = running.line();
        let address = line.rsplit(' ').next().unwrap();
        // A peer that says nothing must not keep it from stopping.
        let mut peer = TcpStream::connect(address).unwrap();
        running.signal(signal);
        let mut rest = Vec::new();
        peer.set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let _ = peer.read_to_end(&mut rest);
        drop(peer);
        assert_eq!(running.exit_code(), Some(0), "SIG{signal}");
    }
}

/// One line on standard error that contains the text, and exit code 2.
fn assert_complaint(output: &Output, text: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let line = stderr.trim_end();
    assert!(line.contains(text), "wanted {text:?} in {line:?}");
    assert_eq!(line.lines().count(), 1, "{line}");
}

/// Runs with a file of this content, which must be refused.
fn with_file(content: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mq.toml");
    std::fs::write(&path, content).unwrap();
    server()
        .args(ANY_PORTS)
        .arg("--config")
        .arg(&path)
        .arg("--check-config")
        .output()
        .unwrap()
}

#[test]
fn files_that_cannot_be_used() {
    for (content, complaint) in [
        ("colour = 1", "unknown field `colour`"),
        (
            "\n\n[listen]\nampq = \"off\"",
            "line 4: unknown field `ampq`",
        ),
        (
            "[listen]\namqp = \"here\"",
            "\"here\" is no address: write HOST:PORT",
        ),
        ("[listen]\namqp = 5672", "line 2: invalid type"),
        ("allow_anonymous = \"no\"", "line 1: invalid type"),
        ("max_connections = -1", "line 1: invalid value"),
        ("virtual_hosts = []", "no virtual host is configured"),
        ("virtual_hosts = [\"a\", \"a\"]", "configured twice"),
        ("[amqp]\nframe_max = 1", "at least 4096"),
        ("[mqtt]\nreceive_maximum = 0", "at least 1"),
        ("[log]\nformat = \"xml\"", "unknown variant `xml`"),
        ("[log]\nlevel = \"loud=very\"", "is no log level"),
        ("[log]\nlevel = \"inof\"", "is no log level"),
        (
            "max_connections = 0",
            "max_connections is 0: nobody could connect",
        ),
        ("write_timeout_seconds = 0", "write_timeout is 0"),
        (
            "handshake_timeout_seconds = 0",
            "handshake_timeout is 0: no connection could begin",
        ),
        (
            "login_timeout_seconds = 0",
            "login_timeout is 0: no peer could log in",
        ),
        ("login_timeout_seconds = \"soon\"", "line 1: invalid type"),
        ("login_timeout_seconds = -1", "line 1: invalid value"),
        (
            "login_timeout_seconds = 99999999999999999999",
            "line 1: invalid",
        ),
        ("tcp_backlog = 0", "tcp_backlog is 0: nobody could connect"),
        ("tcp_keepalive_seconds = -1", "line 1: invalid value"),
        ("disk_free_limit = \"50MB\"", "line 1: invalid type"),
        ("disk_free_limit = -1", "line 1: invalid value"),
        (
            "slow_consumers = \"shoot\"",
            "line 1: \"shoot\" says nothing about slow consumers: write block, drop_qos0 or",
        ),
        (
            "slow_consumers = \"disconnect:0\"",
            "\"disconnect:0\" says nothing about slow consumers",
        ),
        ("slow_consumers = 10", "line 1: invalid type"),
        (
            "endpoints = [\"mqtt://127.0.0.1:1?slow_consumers=disconnect\"]",
            "is no address to listen on",
        ),
        (
            "endpoints = [\"mqtt://127.0.0.1:1?login_timeout=0\"]",
            "is no address to listen on",
        ),
        ("[limits]\nmessage_size = 0", "limits.message_size is 0"),
        ("[limits]\nunacknowledged = 0", "limits.unacknowledged is 0"),
        (
            "[tls]\nkey = \"key.pem\"",
            "tls.certificate and tls.key go together",
        ),
        ("[limits]\nqueue = 1", "unknown field `queue`"),
        ("= 1", "line 1"),
    ] {
        assert_complaint(&with_file(content), complaint);
    }
}

#[test]
fn a_good_file_is_good() {
    let output = with_file("[users]\nalice = \"secret\"\n[limits]\nqueues = 10\n");
    assert_eq!(output.status.code(), Some(0));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/mq-server.example.toml");
    let output = server()
        .args(["--check-config", "--config", example])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn flags_that_cannot_be_used() {
    for (args, complaint) in [
        (
            &["--config", "/does/not/exist"][..],
            "cannot read the settings in /does/not/exist",
        ),
        (
            &["--amqp=off", "--mqtt=off", "--stomp=off"][..],
            "leave at least one",
        ),
        (&["--log-level=loud=very"][..], "is no log level"),
    ] {
        assert_complaint(&server().args(args).output().unwrap(), complaint);
    }
    // Those that clap finds have its usage below the line.
    for (args, complaint) in [
        (&["--amqp=5672"][..], "is no address: write HOST:PORT"),
        (&["--amqp=::1:5672"][..], "is no address: write HOST:PORT"),
        (&["--user=alice"][..], "write NAME:PASSWORD"),
        (&["--allow-anonymous=maybe"][..], "invalid value 'maybe'"),
        (&["--colour"][..], "unexpected argument '--colour'"),
    ] {
        let output = server().args(args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(complaint), "{stderr}");
    }
}

#[test]
fn environment_variables_that_cannot_be_used() {
    let output = server()
        .args(ANY_PORTS)
        .arg("--check-config")
        .env("MQ_SERVER__LIMITS__QUEUE", "1")
        .output()
        .unwrap();
    assert_complaint(&output, "MQ_SERVER__LIMITS__QUEUE: unknown field `queue`");
}

/// Each way to set something says where it is wrong, and takes what is right.
#[test]
fn bounds_by_flag_and_variable() {
    for (name, bad, complaint, good) in [
        (
            "login_timeout_seconds",
            "soon",
            "invalid type",
            "9223372036854775807",
        ),
        ("slow_consumers", "shoot", "write block", "disconnect:5"),
        ("slow_consumers", "disconnect:", "write block", "drop_qos0"),
        ("disk_free_limit", "-5", "invalid value", "0"),
        ("tcp_backlog", "many", "invalid type", "4294967295"),
        ("tcp_keepalive_seconds", "1.5", "invalid type", "0"),
        (
            "shutdown_grace_seconds",
            "x",
            "invalid type",
            "9223372036854775807",
        ),
    ] {
        let variable = format!("MQ_SERVER__{}", name.to_uppercase());
        let check = || {
            let mut server = server();
            server.args(ANY_PORTS).arg("--check-config");
            server
        };
        let flag = |value| format!("--set={name}={value}");
        let wrong = check().arg(flag(bad)).output().unwrap();
        assert_complaint(&wrong, &format!("--set {name}: "));
        assert_complaint(&wrong, complaint);
        let wrong = check().env(&variable, bad).output().unwrap();
        assert_complaint(&wrong, &format!("{variable}: "));
        assert_complaint(&wrong, complaint);
        for right in [
            check().arg(flag(good)).output().unwrap(),
            check().env(&variable, good).output().unwrap(),
        ] {
            let stderr = String::from_utf8_lossy(&right.stderr);
            assert_eq!(right.status.code(), Some(0), "{name}={good}: {stderr}");
        }
    }
}

/// The longest times that can be written end nothing.
#[cfg(unix)]
#[test]
fn the_longest_times_are_no_trouble() {
    let names = [
        "login_timeout_seconds",
        "handshake_timeout_seconds",
        "write_timeout_seconds",
        "linger_seconds",
        "shutdown_grace_seconds",
        "consumer_timeout_seconds",
        "mqtt.sys_interval_seconds",
    ];
    let longest: Vec<String> = names
        .iter()
        .map(|name| format!("--set={name}=9223372036854775807"))
        .collect();
    let mut args = ANY_PORTS.to_vec();
    args.extend(longest.iter().map(String::as_str));
    let slow = "--set=slow_consumers=disconnect:9223372036854775807";
    args.push(slow);
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut running = Running::start_with(&args, log.reopen().unwrap().into());
    let addresses: Vec<String> = (0..3).map(|_| running.line()).collect();
    let mut peers: Vec<TcpStream> = addresses
        .iter()
        .map(|line| TcpStream::connect(line.rsplit(' ').next().unwrap()).unwrap())
        .collect();
    let mut stomp = stomp_client(addresses[2].rsplit(' ').next().unwrap());
    stomp
        .write_all(b"SUBSCRIBE\nid:1\ndestination:/queue/q\nreceipt:s\nack:client\n\n\0")
        .unwrap();
    read_until(&mut stomp, "receipt-id:s");
    stomp
        .write_all(b"SEND\ndestination:/queue/q\n\nhello\0")
        .unwrap();
    read_until(&mut stomp, "hello");
    for peer in &mut peers {
        peer.set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        assert!(peer.read(&mut [0; 1]).is_err(), "it is still connected");
    }
    drop(peers);
    drop(stomp);
    running.signal("TERM");
    assert_eq!(running.exit_code(), Some(0));
    // A task that panics does not change the exit code.
    let log = std::fs::read_to_string(log.path()).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

/// The first line of the log says where messages are kept.
#[test]
fn the_first_line_says_where_the_log_is() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("kept here");
    for (arguments, said) in [
        (vec![format!("--data={}", data.display())], "kept here"),
        (vec!["--ephemeral".to_owned()], "nothing is kept"),
    ] {
        let mut child = server()
            .args(["--amqp=off", "--mqtt=off", "--stomp=127.0.0.1:0"])
            .args(arguments)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stderr = child.stderr.take().unwrap();
        BufReader::new(stderr).read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(line.contains(said), "{line}");
    }
    assert!(data.is_dir());
    assert!(!directory.path().join("mq-data").exists());
}

#[test]
fn repair_says_what_it_did() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let repair = || {
        server()
            .arg("repair")
            .arg("--data")
            .arg(&data)
            .output()
            .unwrap()
    };
    let output = repair();
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("nothing is damaged"), "{said}");
    // A file of the log in which nothing can be read.
    std::fs::write(data.join("00000000000000000100.log"), [0; 50]).unwrap();
    let said = String::from_utf8_lossy(&repair().stdout).into_owned();
    assert!(
        said.contains("00000000000000000100.log.damaged: the file as it was"),
        "{said}"
    );
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = format!("--mqtt={}", taken.local_addr().unwrap());
    let output = server()
        .args([
            "--amqp=127.0.0.1:0",
            "--stomp=off",
            "--log-level=off",
            "--ephemeral",
            &flag,
        ])
        .output()
        .unwrap();
    assert_complaint(&output, "port is in use");
}

/// Where no log can be kept: one line that says why, and what to do.
#[test]
fn a_directory_that_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for data in [file.clone(), file.join("below")] {
        let output = server()
            .args(["--amqp=off", "--mqtt=off", "--stomp=127.0.0.1:0"])
            .arg("--log-level=off")
            .arg(format!("--data={}", data.display()))
            .output()
            .unwrap();
        let why = format!(
            "cannot keep the log in {}: it is no directory",
            data.display()
        );
        assert_complaint(&output, &why);
        assert_complaint(&output, "--ephemeral");
    }
}

/// A server whose log is in a directory, with limits that the shell sets before.
#[cfg(unix)]
fn limited(limit: &str, data: &std::path::Path) -> Running {
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit {limit} && exec \"$@\""), "sh"])
        .arg(env!("CARGO_BIN_EXE_mq-server"))
        .args(["--amqp=off", "--mqtt=127.0.0.1:0", "--stomp=127.0.0.1:0"])
        .arg(format!("--data={}", data.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    Running { child, stdout }
}

/// A STOMP client that is connected.
#[cfg(unix)]
fn stomp_client(address: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    client
        .write_all(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0")
        .unwrap();
    read_until(&mut client, "\0");
    client
}

/// Connections are refused before they take the files that the log needs.
#[cfg(unix)]
#[test]
fn the_log_has_files_where_there_are_few() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = limited("-n 90", &directory.path().join("data"));
    let mut address = || running.line().rsplit(' ').next().unwrap().to_owned();
    let (mqtt, stomp) = (address(), address());
    let mut publisher = stomp_client(&stomp);
    let crowd: Vec<_> = (0..120).map(|_| TcpStream::connect(&mqtt)).collect();
    // The last of them has been accepted, or waits for a file for ever.
    std::thread::sleep(Duration::from_millis(300));
    publisher
        .write_all(b"SEND\ndestination:/queue/q\npersistent:true\nreceipt:1\n\nbody\0")
        .unwrap();
    read_until(&mut publisher, "RECEIPT");
    drop(crowd);
}

/// setrlimit(2), RLIMIT_FSIZE: a write beyond it raises SIGXFSZ, which ends a process that has
/// no handler. Nothing is confirmed that could not be stored, and the server goes on.
#[cfg(unix)]
#[test]
fn a_log_that_may_grow_no_more_ends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = limited("-f 64", &directory.path().join("data"));
    let mut address = || running.line().rsplit(' ').next().unwrap().to_owned();
    let (_, stomp) = (address(), address());
    let mut publisher = stomp_client(&stomp);
    let body = "x".repeat(200_000);
    let large = format!("SEND\ndestination:/queue/q\npersistent:true\nreceipt:1\n\n{body}\0");
    publisher.write_all(large.as_bytes()).unwrap();
    let mut other = stomp_client(&stomp);
    std::thread::sleep(Duration::from_millis(300));
    other
        .write_all(b"SEND\ndestination:/topic/t\nreceipt:2\n\nbody\0")
        .unwrap();
    read_until(&mut other, "RECEIPT");
    publisher.set_nonblocking(true).unwrap();
    let answer = publisher.read(&mut [0; 64]).map_err(|error| error.kind());
    assert_eq!(
        answer,
        Err(std::io::ErrorKind::WouldBlock),
        "nothing is confirmed"
    );
}

/// Reads until the text has come.
fn read_until(stream: &mut TcpStream, text: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
}
