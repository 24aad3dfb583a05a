//! The log says why a peer was turned away, and which.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A server, and the lines that it logs.
struct Server {
    child: Child,
    /// AMQP, MQTT, STOMP.
    addresses: Vec<String>,
    lines: Receiver<String>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mq-server"))
            .args([
                "--amqp=127.0.0.1:0",
                "--mqtt=127.0.0.1:0",
                "--stomp=127.0.0.1:0",
            ])
            .args(["--ephemeral", "--set=stomp_host_fallback=false"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let addresses = said
            .take(3)
            .map(|line| line.unwrap().rsplit(' ').next().unwrap().to_owned())
            .collect();
        let logged = BufReader::new(child.stderr.take().unwrap()).lines();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in logged.map_while(Result::ok) {
                // The test may be over.
                let _ = send.send(line);
            }
        });
        Self {
            child,
            addresses,
            lines,
        }
    }

    fn say(&self, protocol: usize, bytes: &[u8]) -> TcpStream {
        let mut peer = TcpStream::connect(&self.addresses[protocol]).unwrap();
        peer.write_all(bytes).unwrap();
        peer
    }

    /// The next line with this in it.
    fn line(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut others = Vec::new();
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if line.contains(text) {
                return line;
            }
            others.push(line);
        }
        panic!("no line with {text:?} among {others:#?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn why_a_peer_is_turned_away() {
    const AMQP: usize = 0;
    const MQTT: usize = 1;
    const STOMP: usize = 2;
    // MQTT 3.1.1 section 3.1: client identifier `c`; with user `guest` and a password.
    let anonymous = b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c";
    let wrong = b"\x10\x19\0\x04MQTT\x04\xC2\0\x3C\0\x01c\0\x05guest\0\x03bad";
    let malformed = b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01d\0\0";
    // Which protocol, what is said, and what the line has.
    let rows: [(usize, &[u8], &[&str]); 7] = [
        (
            AMQP,
            b"GET / HTTP/1.1\r\n\r\n",
            &["malformed: it speaks HTTP", "AMQP", "127.0.0.1:"],
        ),
        (
            MQTT,
            b"\x16\x03\x01\x02\0\x01\0\x01\xFC",
            &["malformed: it speaks TLS", "MQTT"],
        ),
        (
            MQTT,
            wrong,
            &[
                "login refused: the password is wrong",
                "guest",
                "client=\"c\"",
            ],
        ),
        (
            STOMP,
            b"CONNECT\naccept-version:1.2\nhost:/\nlogin:eve\npasscode:x\n\n\0",
            &["login refused: there is no such user", "eve", "STOMP"],
        ),
        (
            STOMP,
            b"CONNECT\naccept-version:1.2\nhost:nowhere\n\n\0",
            &["login refused: vhost nowhere not found"],
        ),
        (STOMP, b"NONSENSE\n\n\0", &["malformed: ", "STOMP"]),
        (MQTT, malformed, &["malformed: ", "client=\"d\"", "guest"]),
    ];
    let server = Server::start();
    for (protocol, bytes, texts) in rows {
        let mut peer = server.say(protocol, bytes);
        let line = server.line(texts[0]);
        for text in texts {
            assert!(line.contains(text), "{text:?} in {line:?}");
        }
        assert!(line.contains("WARN"), "{line:?}");
        // It is over for the peer, too; what it was told is not looked at here.
        peer.set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let _ = peer.read_to_end(&mut Vec::new());
    }
    let _old = server.say(MQTT, anonymous);
    let mut new = server.say(MQTT, anonymous);
    new.read_exact(&mut [0; 4]).unwrap();
    let line = server.line("another connection has its client identifier now");
    assert!(line.contains("client=\"c\""), "{line}");
}

/// A flood of peers that are turned away writes ten lines a second, and says how many it
/// left out.
#[test]
fn a_flood_writes_few_lines() {
    let server = Server::start();
    let begin = Instant::now();
    let peers: Vec<TcpStream> = (0..200).map(|_| server.say(2, b"NONSENSE\n\n\0")).collect();
    for mut peer in peers {
        peer.set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        // An ERROR: it has been turned away.
        peer.read_exact(&mut [0; 5]).unwrap();
    }
    std::thread::sleep(Duration::from_millis(1_100));
    let _last = server.say(2, b"NONSENSE\n\n\0");
    server.line("left_out=");
    let seconds = begin.elapsed().as_secs() as usize + 1;
    let more = server
        .lines
        .try_iter()
        .filter(|line| line.contains("malformed"))
        .count();
    assert!(more <= 10 * seconds, "{more} lines in {seconds} s");
}
