//! What is asked, of brokers that are made up here, and how it is reported.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Output;

use crate::proxy::BESIDE;
use crate::{assert_exit, mqspec, stderr, stdout};

/// A broker that does this with each connection. Its thread ends with the
/// test process.
fn broker(protocol: &str, serve: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{protocol}://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    url
}

/// Asks a broker that knows one answer, and could not be asked for another.
fn ask(args: &[&str]) -> Output {
    mqspec(&[&["run", "--no-preflight"], args].concat())
}

/// A file that goes with its directory.
fn file(directory: &tempfile::TempDir, text: &str) -> String {
    let path = directory.path().join("expect.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().into()
}

/// Reads the protocol header; what it was.
fn header(stream: &mut TcpStream) -> [u8; 8] {
    let mut header = [0; 8];
    let _ = stream.read_exact(&mut header);
    header
}

/// Knows AMQP 0-9-1 and refuses every header as it should.
fn right(mut stream: TcpStream) {
    header(&mut stream);
    let _ = stream.write_all(b"AMQP\x00\x00\x09\x01");
}

/// Sends the refused header back, as if it were the version to use.
fn wrong(mut stream: TcpStream) {
    let header = header(&mut stream);
    let _ = stream.write_all(&header);
}

/// A connection.start without any server-property.
fn bare_start(mut stream: TcpStream) {
    header(&mut stream);
    let _ = stream.write_all(
        b"\x01\x00\x00\x00\x00\x00\x1c\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x00\
          \x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US\xCE",
    );
    let _ = stream.read(&mut [0]);
}

const UNSUPPORTED: &str = "amqp/protocol-header/unsupported-version";
const PROPERTIES: &str = "amqp/connection.start/server-properties";

#[test]
fn a_broker_that_is_right_passes() {
    let url = broker("amqp", right);
    let output = ask(&["--case", UNSUPPORTED, &url]);
    assert_exit(&output, 0);
    assert!(
        stdout(&output).contains("1 case: 1 passed"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_broker_that_is_wrong_fails_with_what_was_expected_and_seen() {
    let url = broker("amqp", wrong);
    let output = ask(&["--case", UNSUPPORTED, "--verbose", &url]);
    assert_exit(&output, 1);
    let text = stdout(&output);
    for part in [
        "expected  a protocol header",
        "seen      [41 4D 51 50 09 09 09 09]",
        ">> 8 bytes",
        "<< 8 bytes",
        "0000  41 4D 51 50 09 09 09 09",
        "1 failed",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(
        !text.contains('\x1b'),
        "colours, and not on a terminal:\n{text}"
    );
}

#[test]
fn a_should_that_is_not_kept_warns_and_strict_refuses_it() {
    let url = broker("amqp", bare_start);
    let output = ask(&["--case", PROPERTIES, &url]);
    assert_exit(&output, 0);
    assert!(stdout(&output).contains("1 warned"), "{}", stdout(&output));
    assert_exit(&ask(&["--case", PROPERTIES, "--strict", &url]), 1);
}

#[test]
fn a_case_that_cannot_be_played_to_its_end_is_never_accepted() {
    let mute = broker(
        "amqp",
        |mut stream| while let Ok(1..) = stream.read(&mut [0; 64]) {},
    );
    let output = ask(&["--case", UNSUPPORTED, "--deadline", "0.2", &mute]);
    assert_exit(&output, 1);
    assert!(
        stdout(&output).contains("1 inconclusive"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_known_deviation_is_accepted_only_as_it_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let (right, wrong) = (broker("amqp", right), broker("amqp", wrong));
    let entry = |seen: &str| {
        format!(
            "broker = \"x\"\n[[case]]\ncase = \"{UNSUPPORTED}\"\nverdict = \"fail\"\n\
             seen = \"{seen}\"\nreason = \"it echoes\"\n"
        )
    };
    for (seen, url, code, part) in [
        ("09 09 09 09", &wrong, 0, "1 known"),
        ("01 02 03 04", &wrong, 1, "1 unexpected"),
        ("09 09 09 09", &right, 1, "1 unexpected"),
    ] {
        let path = file(&directory, &entry(seen));
        let output = ask(&["--case", UNSUPPORTED, "--expect", &path, url]);
        assert_exit(&output, code);
        assert!(stdout(&output).contains(part), "{}", stdout(&output));
    }
    let path = file(
        &directory,
        &entry("").replace("unsupported-version", "renamed"),
    );
    let output = ask(&["--case", UNSUPPORTED, "--expect", &path, &wrong]);
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("no case"), "{}", stderr(&output));
}

#[test]
fn what_selects_nothing_is_an_error() {
    let url = broker("amqp", right);
    for args in [
        &["run", "--case", "amqp/no-such/*", &url][..],
        // One that names nothing is mistyped, whatever the others name.
        &["run", "--case", UNSUPPORTED, "--case", "no-such-case", &url],
        &["run", "--case", UNSUPPORTED, "--level", "may", &url],
        &["run", "--case", UNSUPPORTED, "--protocol", "mqtt", &url],
        // Cases there are, but none that this broker can be asked.
        &["run", "--protocol", "mqtt", &url],
        &["list", "--case", "no-such-case"],
        &["run", "http://127.0.0.1"],
        &["run", "--jobs", "0", &url],
    ] {
        assert_exit(&mqspec(args), 2);
    }
}

#[test]
fn a_broker_that_is_not_there_is_one_line() {
    // Bound and closed again: nothing listens there.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let output = mqspec(&["run", &format!("amqp://user:secret@127.0.0.1:{port}")]);
    assert_exit(&output, 2);
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains(&format!("cannot reach amqp://127.0.0.1:{port}")),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn reports_for_programs() {
    let directory = tempfile::tempdir().unwrap();
    let url = broker("amqp", wrong);
    let json = ask(&["--case", UNSUPPORTED, "--format", "json", &url]);
    assert_exit(&json, 1);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["accepted"], false);
    let case = &value["cases"][0];
    assert_eq!(case["id"], UNSUPPORTED);
    assert_eq!(case["level"], "MUST");
    assert_eq!(case["verdict"], "fail");
    assert_eq!(case["seen"], "[41 4D 51 50 09 09 09 09]");

    let path: PathBuf = directory.path().join("report.xml");
    let output = path.to_str().unwrap();
    let junit = ask(&[
        "--case",
        UNSUPPORTED,
        "--format",
        "junit",
        "--output",
        output,
        &url,
    ]);
    assert_exit(&junit, 1);
    assert!(stdout(&junit).contains("1 failed"), "{}", stdout(&junit));
    let text = std::fs::read_to_string(&path).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (1, 1, 0));
    assert_eq!(wrong_with(&text), [""; 0]);

    let list = mqspec(&["list", "--case", UNSUPPORTED, "--format", "json"]);
    assert_exit(&list, 0);
    let value: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(
        value[0]["rule"],
        "section 4.2.2 / header is answered; connection / start / protocol-name"
    );
}

/// What is wrong with a report for Jenkins and GitLab.
fn wrong_with(report: &str) -> Vec<String> {
    let schema = uppsala::parse(include_str!("junit.xsd")).unwrap();
    let schema = uppsala::XsdValidator::from_schema(&schema).unwrap();
    let errors = schema.validate(&uppsala::parse(report).unwrap());
    errors.iter().map(ToString::to_string).collect()
}

/// Each end that a case can have, of several brokers, with the bytes of both sides.
#[test]
fn a_junit_report_is_what_ci_servers_read() {
    let mute = broker(
        "amqp",
        |mut stream| while let Ok(1..) = stream.read(&mut [0; 64]) {},
    );
    let (right, wrong) = (broker("amqp", right), broker("amqp", wrong));
    let output = ask(&[
        "--case",
        UNSUPPORTED,
        "--case",
        "amqp/restart/durable-queue",
        // The one that is mute runs into its deadline, and no other does.
        "--timeout",
        "20",
        "--deadline",
        "5",
        "--format",
        "junit",
        "--transcripts",
        &right,
        &wrong,
        &mute,
    ]);
    assert_exit(&output, 1);
    let report = stdout(&output);
    for part in ["<failure", "<error", "<skipped", "<system-out>"] {
        assert!(report.contains(part), "no {part} in {report}");
    }
    assert_eq!(wrong_with(&report), [""; 0]);
    // Jenkins' xUnit plugin refuses this.
    let skipped = report.replacen(" errors=", " skipped=\"1\" errors=", 1);
    assert!(!wrong_with(&skipped).is_empty());
}

/// What is required is listed with the cases that ask, also where none does.
#[test]
fn requirements_are_listed_with_their_cases() {
    let args = ["list", "--requirements", "--case", "mqtt5/MQTT-3.1.2-3/*"];
    let list = mqspec(&[&args[..], &["--format", "json"]].concat());
    assert_exit(&list, 0);
    let value: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    let rows = value.as_array().unwrap();
    assert_eq!(rows.len(), 251);
    for row in rows {
        let expected = i32::from(row["identifier"] == "MQTT-3.1.2-3");
        assert_eq!(row["cases"], expected, "{row}");
    }
    let list = mqspec(&args);
    assert_exit(&list, 0);
    let text = stdout(&list);
    assert!(text.starts_with("MQTT 5.0\n"), "{text}");
    assert!(
        text.ends_with("251 requirements, cases ask about 1\n"),
        "{text}"
    );
}

/// A broker that says nothing of the protocol keeps none of its rules, so a
/// case that it passes asks nothing.
#[test]
fn no_case_is_passed_by_what_is_no_broker() {
    let closes: fn(TcpStream) = drop;
    let mute: fn(TcpStream) = |mut stream| while let Ok(1..) = stream.read(&mut [0; 64]) {};
    let echoes: fn(TcpStream) = |mut stream| {
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if stream.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
    };
    for (name, serve) in [("closes", closes), ("mute", mute), ("echoes", echoes)] {
        let urls = ["amqp", "mqtt", "stomp"].map(|protocol| broker(protocol, serve));
        let mut args = vec!["--format", "json", "--jobs", "64"];
        args.extend(["--timeout", "0.3", "--silence", "0.1", "--deadline", "5"]);
        args.extend(BESIDE);
        args.extend(urls.iter().map(String::as_str));
        let output = ask(&args);
        assert_exit(&output, 1);
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let passed: Vec<_> = value["cases"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|case| case["verdict"] == "pass" || case["verdict"] == "not-applicable")
            // What the URL and the command line do not say was not asked for.
            .filter(|case| {
                let because = case["because"].as_str().unwrap_or_default();
                !because.starts_with("the URL") && !because.contains("--restart-command")
            })
            .map(|case| case["id"].as_str().unwrap())
            .collect();
        assert!(passed.is_empty(), "what {name} passes {passed:#?}");
    }
}

#[test]
fn the_expectation_files_that_are_shipped_are_sound() {
    let url = broker("amqp", right);
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("expect");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let args = [
            "--case",
            UNSUPPORTED,
            "--expect",
            path.to_str().unwrap(),
            &url,
        ];
        assert_exit(&ask(&args), 0);
        count += 1;
    }
    assert_eq!(count, 11);
}
