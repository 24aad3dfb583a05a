//! What goes on around a run: what is chosen, asked again, explained and
//! written down.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::frame::{body, packet, varint};
use crate::proxy::{Protocol, Rewrite, reference, through};
use crate::watch::{Records, answer, connects, until};
use crate::{assert_exit, mqspec, stderr, stdout};

/// The ids that are listed.
fn listed(args: &[&str]) -> Vec<String> {
    let output = mqspec(&[&["list", "--format", "json"], args].concat());
    assert_exit(&output, 0);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ids = value.as_array().unwrap().iter();
    ids.map(|case| case["id"].as_str().unwrap().to_string())
        .collect()
}

#[test]
fn an_id_selects_one_case_although_others_contain_it() {
    let ids = listed(&[]);
    let within = |id: &&String| ids.iter().any(|other| other != *id && other.contains(*id));
    let ambiguous: Vec<_> = ids.iter().filter(within).collect();
    assert!(ambiguous.len() > 10, "{ambiguous:?}");
    for id in ambiguous {
        assert_eq!(listed(&["--case", id]), [id.as_str()]);
    }
}

#[test]
fn what_is_skipped_is_left_out() {
    let all = listed(&["--case", "amqp/queue.delete/*"]);
    let rest = listed(&[
        "--case",
        "amqp/queue.delete/*",
        "--skip",
        "amqp/queue.delete/counts",
        "--skip",
        "amqp/*/not-*",
    ]);
    let expected: Vec<_> = all
        .iter()
        .filter(|id| !id.ends_with("/counts") && !id.contains("/not-"))
        .cloned()
        .collect();
    assert_eq!(rest, expected);
    assert!(rest.len() + 3 == all.len(), "{all:?}");
    assert_exit(&mqspec(&["list", "--skip", "no-such-case"]), 2);
}

/// Answers the first PINGREQ with a PINGRESP of the wrong form on each third
/// connection, and every SUBSCRIBE of QoS 2 with QoS 1 less.
fn flaky() -> String {
    let count = Arc::new(AtomicUsize::new(0));
    through(Protocol::Mqtt, move || {
        let wrong = count.fetch_add(1, Ordering::SeqCst) % 3 == 2;
        Box::new(Rewrite::new(Protocol::Mqtt.framing(), move |frame| {
            if wrong && frame[0] == 0xD0 {
                packet(0xD1, body(&frame))
            } else {
                frame
            }
        }))
    })
}

const PING: &str = "mqtt311/MQTT-3.12.4-1/pingresp";

fn json(args: &[&str]) -> serde_json::Value {
    let output = mqspec(&[&["run", "--format", "json"], args].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}

#[test]
fn a_case_that_is_asked_again_tells_what_varies() {
    let url = flaky();
    let args = ["--no-preflight", "--jobs", "1", "--case", PING, &url];
    let report = json(&[&["--repeat", "9"], &args[..]].concat());
    let case = &report["cases"][0];
    assert_eq!(report["cases"].as_array().unwrap().len(), 1);
    assert_eq!(case["verdict"], "fail", "{case}");
    assert_eq!(case["verdicts"]["fail"], 3, "{case}");
    assert_eq!(case["verdicts"]["pass"], 6, "{case}");
    let output = mqspec(&[&["--repeat", "9"], &args[..]].concat());
    assert_exit(&output, 1);
    for part in [
        "varies    pass 6 times, fail 3 times",
        "1 of 1 cases had another verdict when asked again, 9 times at most",
    ] {
        assert!(stdout(&output).contains(part), "{}", stdout(&output));
    }
}

/// Sessions are there for too long on these connections, of which the first asks nothing, and
/// what the clients are called.
fn late(of: fn(usize) -> bool) -> (String, Arc<Mutex<BTreeSet<Vec<u8>>>>) {
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let (seen, count) = (Arc::clone(&names), AtomicUsize::new(0));
    let url = through(Protocol::Mqtt, move || {
        let late = of(count.fetch_add(1, Ordering::SeqCst));
        let seen = Arc::clone(&seen);
        let down = move |mut frame: Vec<u8>| {
            if late && frame[0] == 0x20 {
                frame[2] = 1;
            }
            frame
        };
        Box::new(
            Rewrite::new(Protocol::Mqtt.framing(), down).up(move |frame| {
                if frame[0] == 0x10 {
                    // After the head and the properties.
                    let (length, size) = varint(&body(&frame)[10..]).unwrap();
                    let name = &body(&frame)[10 + size + length..];
                    let end = 2 + usize::from(name[1]);
                    seen.lock().unwrap().insert(name[2..end].to_vec());
                }
                frame
            }),
        )
    });
    (url, names)
}

/// Its session ends one second after the second of three connections, and before the third.
const EXPIRES: &str = "mqtt5/MQTT-4.1.0-2/expiry-passes";

#[test]
fn what_depends_on_time_is_asked_again_before_it_fails() {
    let directory = tempfile::tempdir().unwrap();
    let expect = directory.path().join("expect.toml");
    let entry = "[[case]]\ncase = \"mqtt5/*/expiry-passes\"\nverdict = \"fail\"\nreason = \"01\"\n";
    std::fs::write(&expect, format!("broker = \"x\"\n{entry}")).unwrap();
    let expect = ["--expect", expect.to_str().unwrap()];
    let args = ["--no-preflight", "--case", EXPIRES];
    // Which connections are late, what is known, how often which verdict came, the last one.
    type Row<'a> = (fn(usize) -> bool, &'a [&'a str], [u64; 2], &'a str);
    let rows: [Row<'_>; 4] = [
        (|_| false, &[], [0, 0], "pass"),
        (|number| number == 3, &[], [1, 1], "pass"),
        (|number| number % 3 == 0, &[], [0, 3], "fail"),
        (|number| number % 3 == 0, &expect, [0, 0], "known"),
    ];
    for (of, known, [passed, failed], status) in rows {
        let (url, names) = late(of);
        let report = json(&[&args[..], known, &[&url]].concat());
        let case = &report["cases"][0];
        assert_eq!(case["status"], status, "{case}");
        let count = |kind: &str| case["verdicts"][kind].as_u64().unwrap_or(0);
        assert_eq!([count("pass"), count("fail")], [passed, failed], "{case}");
        // Nothing that an attempt finds is of the one before.
        let attempts = (passed + failed).max(1) as usize;
        assert_eq!(names.lock().unwrap().len(), attempts, "{status}");
    }
    let (url, _) = late(|number| number == 3);
    let output = mqspec(&[&args[..], &[&url]].concat());
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert!(
        text.contains("varies    pass 1 time, fail 1 time"),
        "{text}"
    );
    // What has no time in it is asked once.
    let report = json(&["--no-preflight", "--case", PING, &broken()]);
    assert_eq!(report["cases"][0]["verdict"], "fail", "{report}");
    assert!(report["cases"][0]["verdicts"].is_null(), "{report}");
}

/// Every PINGRESP is of the wrong form.
fn broken() -> String {
    through(Protocol::Mqtt, || {
        Box::new(Rewrite::new(Protocol::Mqtt.framing(), |frame| {
            if frame[0] == 0xD0 {
                packet(0xD1, body(&frame))
            } else {
                frame
            }
        }))
    })
}

#[test]
fn what_failed_is_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let report = report.to_str().unwrap();
    let (url, well) = (
        broken(),
        through(Protocol::Mqtt, || Box::new(crate::proxy::Clear)),
    );
    let cases = [
        "--case",
        PING,
        "--case",
        "mqtt311/MQTT-3.1.4-4/*",
        "--no-preflight",
    ];
    let output = mqspec(&[&cases[..], &["--format", "json", "--output", report, &url]].concat());
    assert_exit(&output, 1);
    let again = json(&["--rerun-failed", report, &well]);
    let ids: Vec<_> = again["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| &case["id"])
        .collect();
    assert_eq!(ids, [PING]);
    assert_eq!(again["accepted"], true);
    // The same command, with a broker of which nothing failed, asks that one nothing.
    let other = through(Protocol::Stomp, || Box::new(crate::proxy::Clear));
    let again = json(&["--rerun-failed", report, &well, &other]);
    assert_eq!(again["cases"].as_array().unwrap().len(), 1, "{again}");
    // And where nothing failed there is nothing to ask.
    let output = mqspec(&[
        "--case", PING, "--format", "json", "--output", report, &well,
    ]);
    assert_exit(&output, 0);
    let output = mqspec(&["--rerun-failed", report, &well]);
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("every case of"),
        "{}",
        stderr(&output)
    );
}

/// The command that a failure prints is given what the run was given, and sees the same.
#[test]
fn a_failure_is_asked_again_as_it_was_asked() {
    let url = broken();
    let beside = [
        "--insecure",
        "--other-virtual-host",
        "two words",
        "--restricted-user",
        "nobody:secret",
        "--authentication",
        "SCRAM-SHA-256:guest:secret",
        "--broker-version",
        "1.2",
        "--strict",
        "--timeout",
        "7",
        "--silence",
        "0.25",
        "--no-preflight",
        "--restart-command",
        "echo 'again'",
    ];
    let output = mqspec(&[&beside[..], &["--jobs", "1", "--case", PING, &url]].concat());
    assert_exit(&output, 1);
    let text = stdout(&output);
    let again = text.split("again     ").nth(1).unwrap();
    let again = again.lines().next().unwrap();
    assert_eq!(
        again,
        format!(
            "mqspec --case {PING} -v --insecure --other-virtual-host 'two words' \
             --restricted-user nobody:PASSWORD --authentication SCRAM-SHA-256:guest:PASSWORD \
             --broker-version 1.2 --strict --timeout 7 --silence 0.25 --no-preflight \
             --restart-command 'echo '\\''again'\\''' {url}"
        )
    );
    let command = again.replacen("mqspec", env!("CARGO_BIN_EXE_mqspec"), 1);
    let second = std::process::Command::new("sh")
        .args(["-c", &command])
        .output()
        .unwrap();
    assert_exit(&second, 1);
    assert!(stdout(&second).contains(again), "{}", stdout(&second));
}

#[test]
fn a_baseline_accepts_what_was_reported_once_its_reasons_are_given() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_string();
    let (report, expect) = (path("report.json"), path("expect.toml"));
    let url = broken();
    let cases = [
        "--case",
        "*/pingresp*",
        "--case",
        "mqtt311/MQTT-3.1.4-4/*",
        "--no-preflight",
    ];
    let output = mqspec(&[&cases[..], &["--format", "json", "--output", &report, &url]].concat());
    assert_exit(&output, 1);
    let baseline = mqspec(&["baseline", &report]);
    assert_exit(&baseline, 0);
    let text = stdout(&baseline);
    // One entry for every version.
    assert_eq!(text.matches("[[case]]").count(), 1, "{text}");
    std::fs::write(&expect, &text).unwrap();
    let args = [&cases[..], &["--expect", &expect, &url]].concat();
    let output = mqspec(&args);
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("must give a reason"),
        "{}",
        stderr(&output)
    );
    std::fs::write(&expect, text.replace("reason = \"\"", "reason = \"D1 00\"")).unwrap();
    let output = mqspec(&args);
    assert_exit(&output, 0);
    assert!(stdout(&output).contains("3 known"), "{}", stdout(&output));
}

#[test]
fn an_explanation_has_the_rule_the_bytes_and_the_way_to_ask_again() {
    let output = mqspec(&["explain", PING]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    for part in [
        "requires  MUST",
        "verdict   pass",
        ">> 2 bytes: PINGREQ",
        "0000  D0 00",
        "again     mqspec --case mqtt311/MQTT-3.12.4-1/pingresp -v",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert_exit(&mqspec(&["explain", "pingresp"]), 2);
}

#[test]
fn a_failure_prints_the_frames_and_how_to_ask_again() {
    let url = broken();
    let output = mqspec(&["--no-preflight", "--case", PING, &url]);
    assert_exit(&output, 1);
    let text = stdout(&output);
    let again = format!("again     mqspec --case {PING} -v --no-preflight {url}");
    for part in [
        "requires  ",
        "expected  ",
        "seen      ",
        "<< PINGRESP [D1 00]",
        &again,
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn an_entry_about_some_versions_wants_to_know_the_version() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("expect.toml");
    std::fs::write(
        &path,
        format!(
            "broker = \"x\"\n[[case]]\ncase = \"{PING}\"\nversion = \"<2\"\nverdict = \"fail\"\n\
             reason = \"D1 00\"\n"
        ),
    )
    .unwrap();
    let url = broken();
    let args = [
        "--no-preflight",
        "--case",
        PING,
        "--expect",
        path.to_str().unwrap(),
        &url,
    ];
    assert_exit(&mqspec(&args), 2);
    for (version, code) in [("1.9", 0), ("2.0", 1)] {
        assert_exit(
            &mqspec(&[&args[..], &["--broker-version", version]].concat()),
            code,
        );
    }
}

/// What the cases made that were on when the user ended the run is removed too.
#[test]
#[cfg(unix)]
fn an_interrupted_run_leaves_no_session_behind() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&sent);
    let url = through(Protocol::Mqtt, move || {
        Box::new(Records(Arc::clone(&record)))
    });
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_mqspec"))
        .args([
            "--no-preflight",
            "--silence",
            "3",
            "--case",
            "mqtt311/*/dup-*",
            "--case",
        ])
        .args(["mqtt311/MQTT-3.1.2-4/*", &url])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let sessions = |sent: &[u8]| -> BTreeSet<Vec<u8>> {
        let stays = |&at: &usize| sent[at + 6..].starts_with(b"\x04\x00");
        let places = connects(sent).filter(stays);
        places
            .map(|at| sent[at - 2..at + usize::from(sent[at - 1])].to_vec())
            .collect()
    };
    // They are there while the cases wait for what must not come.
    until(|| !sessions(&sent.lock().unwrap()).is_empty());
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_exit(&output, 1);
    let text = stdout(&output);
    assert!(
        text.contains("interrupted") && !text.contains("Left behind"),
        "{text}"
    );
    let sent = sent.lock().unwrap();
    // Once each: asking makes a session.
    for connect in sessions(&sent) {
        let seen = answer(reference(Protocol::Mqtt), &[&connect], &[b"\x20\x02"]);
        assert_eq!(seen, b"\x20\x02\x00\x00", "no session present");
    }
}

/// One page for brokers and cases, one for each case, and nothing from elsewhere.
#[test]
fn a_matrix_is_made_of_reports() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_string();
    let (good, bad, site) = (path("good.json"), path("bad.json"), path("site"));
    let urls = [
        through(Protocol::Mqtt, || Box::new(crate::proxy::Clear)),
        broken(),
    ];
    for (report, url) in [&good, &bad].into_iter().zip(&urls) {
        let cases = ["--no-preflight", "--case", PING, "--format", "json"];
        mqspec(&[&cases[..], &["--transcripts", "--output", report, url]].concat());
    }
    let reports = [format!("<well>={good}"), format!("ill={bad}")];
    let output = mqspec(&["matrix", &reports[0], &reports[1], "-o", &site]);
    assert_exit(&output, 0);
    let index = std::fs::read_to_string(stdout(&output).trim()).unwrap();
    let page = "case/mqtt311_MQTT-3.12.4-1_pingresp.html";
    for part in ["&lt;well&gt;", "MQTT 3.1.1", "cell pass", "cell fail", page] {
        assert!(index.contains(part), "no {part:?} in\n{index}");
    }
    assert!(!index.contains("http"), "{index}");
    let case = std::fs::read_to_string(directory.path().join("site").join(page)).unwrap();
    for part in ["PINGRESP", "0000  D1 00", "0000  D0 00", "breaks a MUST"] {
        assert!(case.contains(part), "no {part:?} in\n{case}");
    }
    assert!(directory.path().join("site/style.css").exists());
}
