//! Settings of the receiver: the file, variables and flags, `send-learn config`, and SIGHUP.

mod common;

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use rustix::process::Signal;
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::sender::SenderState;

fn send_learn(arguments: &[&str], variables: &[(&str, &str)]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_send-learn"));
    command.args(arguments).env_remove("SEND_LEARN_DATA").env("SEND_LEARN_CONFIG", "/dev/null").envs(variables.iter().copied());
    command.output().unwrap()
}

#[test]
fn what_holds_is_shown_with_who_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receiver.toml");
    std::fs::write(&file, "# the studio's\nrotate = 5\nabsence = 90\ndata = \"takes\"\n").unwrap();
    let file = file.to_str().unwrap();
    let shown = send_learn(&["config", "--config", file, "--rotate", "2"], &[("SEND_LEARN_ABSENCE", "30")]);
    assert!(shown.status.success(), "{}", text(&shown));
    let shown = text(&shown);
    let line = |name: &str| {
        let line = shown.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_else(|| panic!("{shown}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("rotate"), "rotate 2 --rotate");
    assert_eq!(line("absence"), "absence 30 SEND_LEARN_ABSENCE");
    assert_eq!(line("data"), format!("data {} {file}, line 4", folder.path().join("takes").display()));
    assert_eq!(line("listen"), "listen 127.0.0.1:8080 default");

    let json = send_learn(&["config", "--json", "--config", file], &[]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        json["settings"]["rotate"],
        serde_json::json!({ "value": "5", "source": { "kind": "file", "file": file, "line": 2 } })
    );
    // The other commands look where the receiver records.
    let listed = send_learn(&["list", "--config", file], &[]);
    assert!(text(&listed).contains("takes"), "{}", text(&listed));
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receiver.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\nrotat = 5\ncompression = 12\n").unwrap();
    for what in ["config", "serve"] {
        let output = send_learn(&[what, "--config", file.to_str().unwrap()], &[]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output);
        assert!(said.contains("line 2: there is no setting `rotat`: is `rotate` meant?"), "{said}");
        assert!(said.contains("line 3: `compression` is `12`, and must be a whole number, a gzip level, 0 to 9"), "{said}");
    }
    let output = send_learn(&["serve", "--metrics", "yes"], &[]);
    assert!(text(&output).contains("--metrics") && text(&output).contains("`off`"), "{}", text(&output));
    let output = send_learn(&["serve"], &[("SEND_LEARN_OPEN", "maybe")]);
    assert!(text(&output).contains("SEND_LEARN_OPEN is `maybe`, and must be true or false"), "{}", text(&output));
    let output = send_learn(&["list", "--config", "/no/such/file.toml"], &[]);
    assert!(text(&output).contains("/no/such/file.toml") && text(&output).contains("--config"), "{}", text(&output));
}

#[test]
fn a_running_receiver_takes_what_it_can_of_changed_settings_and_says_what_needs_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("receiver.toml"), folder.path().join("data"));
    std::fs::write(&file, "rotate = 60\nmax-streams = 10\n").unwrap();
    let mut command = serve(&data, "127.0.0.1:0");
    command.args(["--log-format", "json", "--config"]).arg(&file).env_remove("SEND_LEARN_CONFIG").stderr(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut log = child.stderr.take().unwrap();
    let reader = std::thread::Builder::new().name("log".into()).spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    });
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
    let hup = |child: &std::process::Child| {
        rustix::process::kill_process(rustix::process::Pid::from_child(child), Signal::HUP).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    };
    let mut player = Player::new(address, "Keys", 1);
    player.play(100);
    player.turn_until_durable();
    // A mistake changes nothing.
    std::fs::write(&file, "rotate = 0.005\nmax-streams = 0\n").unwrap();
    hup(&child);
    std::fs::write(&file, "rotate = 0.005\nmax-streams = 20\nlog = \"debug\"\n").unwrap();
    hup(&child);
    hup(&child);
    // Files of 0.3 s from now on.
    let deadline = Instant::now() + PATIENCE;
    while parts(&data).len() < 3 {
        player.play(5);
        assert!(Instant::now() < deadline, "no file is closed");
    }
    player.finish();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let log = reader.unwrap().join().unwrap();
    let messages: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
        .collect();
    let said = |what: &str| messages.iter().filter(|message| message.contains(what)).count();
    assert_eq!(said("the settings stay as they are"), 1, "{messages:?}");
    assert_eq!(said("rotate is 0.005 now, and was 60"), 1, "{messages:?}");
    assert_eq!(said("max-streams stays 10: 20 needs a restart"), 2, "{messages:?}");
    assert_eq!(said("log is debug now, and was info"), 1, "{messages:?}");
}

#[test]
fn more_streams_from_one_address_than_the_settings_say_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), "127.0.0.1:0", &["--max-streams-per-address", "1"]);
    let mut first = Player::new(server.address, "One", 1);
    first.play(10);
    first.turn_until_durable();
    let mut second = Player::new(server.address, "Two", 1);
    second.play(10);
    let deadline = Instant::now() + PATIENCE;
    while second.sender.state() != SenderState::Refused(Refusal::TooManyFromAddress) {
        second.turn();
        assert!(Instant::now() < deadline, "{:?}", second.sender.state());
    }
}

#[test]
fn prometheus_finds_figures_where_the_settings_say() {
    let data = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let server = Server::start_command(serve(data.path(), "127.0.0.1:0").args(["--metrics", &free]));
    let mut player = Player::new(server.address, "Lead \"vox\"\\", 2);
    player.play(200);
    player.turn_until_durable();
    let get = |path: &str| {
        let mut stream = std::net::TcpStream::connect(&free).unwrap();
        std::io::Write::write_all(&mut stream, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let deadline = Instant::now() + PATIENCE;
    let answer = loop {
        let answer = get("/metrics");
        let recorded = answer.lines().find(|line| line.starts_with("send_learn_stream_recorded_seconds{"));
        if recorded.is_some_and(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() > 2.0) {
            break answer;
        }
        assert!(Instant::now() < deadline, "{answer}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("application/openmetrics-text"), "{answer}");
    assert!(answer.contains("name=\"Lead \\\"vox\\\"\\\\\""), "{answer}");
    for line in ["send_learn_streams 1", "send_learn_paused 0", "# TYPE send_learn_entries counter", "# EOF"] {
        assert!(answer.lines().any(|have| have.starts_with(line)), "{line}: {answer}");
    }
    // Every figure that the documentation names is there; of the delay nothing is known yet.
    for row in send_learn::metrics::documentation().lines().skip(2) {
        let name = row.split('`').nth(1).unwrap();
        let name = if name.contains("delay") { "# TYPE send_learn_stream_delay_seconds gauge" } else { name };
        assert!(answer.lines().any(|line| line.starts_with(name)), "{name}: {answer}");
    }
    assert!(get("/").contains("/metrics") && get("/other").starts_with("HTTP/1.1 404"));
    let output =
        command(&["serve", "--listen", "127.0.0.1:0", "--data", data.path().join("other").to_str().unwrap(), "--metrics", &free]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains(&free) && text(&output).contains("--metrics"), "{}", text(&output));
}
