//! `send-learn quality` and `report` on recordings of all kinds, a broken file among them; and the page, in a browser.

mod common;
#[path = "common/takes.rs"]
mod takes;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use send_learn::store::layout::GapRow;
use serde_json::{Value, json};
use takes::{RATE, Take, clicks, marker, melody, take};

/// The exit status by which a script says that a library is not there.
const NO_LIBRARY: i32 = 77;

fn send_learn(folder: &Path, arguments: &[&OsStr]) -> Output {
    let program = env!("CARGO_BIN_EXE_send-learn");
    Command::new(program).current_dir(folder).env_remove("SEND_LEARN_DATA").args(arguments).output().unwrap()
}

/// Recordings of all kinds, a broken file among them, and `training_report.json` and `.html` in `folder`.
fn report(data: &Path, folder: &Path) -> Output {
    let gap = GapRow { sample: 10 * RATE, frames: RATE, reason: 1 };
    let all = [
        Take { sound: clicks, name: "Keys", ..take(1) },
        Take { gaps: vec![gap], markers: vec![marker(0, 6)], name: "<script>alert('Träck')</script> & \"more\"", ..take(2) },
        Take {
            seconds: 3,
            notes: Vec::new(),
            name: "A-name-as-long-as-nobody-would-give-to-any-track-but-somebody-does",
            ..take(3)
        },
        Take { channels: 0, name: "MIDI", consent: "", ..take(4) },
        Take { sound: |_, _, _| 0.0, name: "", notes: Vec::new(), ..take(5) },
        Take { notes: melody(1, 100), name: "Again", ..take(6) },
    ];
    for take in all {
        take.write(data);
    }
    let broken = data.join("2026-11-22/broken");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("take-0001.h5"), "no recording").unwrap();
    send_learn(folder, &["report".as_ref(), data.as_os_str(), "--html".as_ref()])
}

#[test]
fn a_report_has_all_takes_and_names_the_broken_file() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = report(data.path(), folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", common::text(&output));
    assert!(common::text(&output).contains("broken/take-0001.h5"), "{}", common::text(&output));
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("training_report.json")).unwrap()).unwrap();
    assert_eq!(report["takes"].as_array().unwrap().len(), 6);
    assert_eq!(report["totals"]["verdicts"], json!({ "good": 3, "look": 2, "bad": 1 }));
    assert_eq!(report["broken"].as_array().unwrap().len(), 1);
    assert!(report["broken"][0].as_str().unwrap().starts_with("2026-11-22/broken/take-0001.h5"), "{}", report["broken"]);
    assert!(!report.to_string().contains(data.path().to_str().unwrap()));
    assert_eq!(report["export"]["left_out"], json!({ "consent": 3, "private": 3, "few-events": 3, "short-take": 1 }));
    let sequences: u64 =
        ["train", "validation", "test"].iter().map(|side| report["export"]["splits"][side]["sequences"].as_u64().unwrap()).sum();
    assert_eq!(sequences, 6);
    // Its schema holds, by an independent reader of schemas.
    validate(&folder.path().join("training_report.json"));
    let quality = send_learn(folder.path(), &["quality".as_ref(), data.path().as_os_str(), "--json".as_ref()]);
    assert_eq!(quality.status.code(), Some(1));
    let quality: Value = serde_json::from_slice(&quality.stdout).unwrap();
    assert_eq!((&quality["takes"], &quality["totals"]), (&report["takes"], &report["totals"]));
    let table = send_learn(folder.path(), &["quality".as_ref(), data.path().as_os_str()]);
    assert!(common::text(&table).contains("all 6") && common::text(&table).contains("bad: there is nothing but silence"));
}

#[test]
fn what_was_stated_and_what_is_private_is_said() {
    let data = tempfile::tempdir().unwrap();
    Take { seconds: 8, markers: vec![marker(2 * RATE, 6), marker(5 * RATE, 7)], ..take(1) }.write(data.path());
    let info = |more: &[&OsStr]| send_learn(data.path(), &[&["info".as_ref(), data.path().as_os_str()], more].concat());
    let text = common::text(&info(&[]));
    let row = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{text}"));
    assert!(row("consent").ends_with("May be used to train models.") && row("licence").ends_with("not stated"), "{text}");
    assert!(row("contributor").ends_with("not stated") && row("private").ends_with("0:03.0"), "{text}");
    let json: Value = serde_json::from_slice(&info(&["--json".as_ref()]).stdout).unwrap();
    assert_eq!(json[0]["private_seconds"], json!(3.0));
}

#[test]
fn a_usage_line_is_not_about_what_the_environment_says() {
    let program = env!("CARGO_BIN_EXE_send-learn");
    let run = |arguments: &[&str]| {
        common::text(
            &Command::new(program).env("SEND_LEARN_DATA", "/tmp/no-folder-for-send-learn").args(arguments).output().unwrap(),
        )
    };
    let usage = run(&["export"]);
    assert!(usage.contains("Usage:") && !usage.contains("--data"), "{usage}");
    assert!(run(&["list"]).contains("/tmp/no-folder-for-send-learn"));
}

#[test]
fn a_name_from_the_network_cannot_move_the_cursor() {
    let data = tempfile::tempdir().unwrap();
    Take { seconds: 3, notes: Vec::new(), sound: |_, _, _| 0.0, name: "\x1b[2J\u{9b}1m\u{202e}Bass", ..take(1) }.write(data.path());
    for command in ["info", "quality"] {
        let text = common::text(&send_learn(data.path(), &[command.as_ref(), data.path().as_os_str()]));
        assert!(text.contains("[2J1mBass"), "{text}");
        assert!(!text.contains(['\x1b', '\u{9b}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn a_folder_without_recordings_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["quality", "report"] {
        let output = send_learn(folder.path(), &[command.as_ref(), folder.path().as_os_str()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(common::text(&output).contains("holds no recording"), "{}", common::text(&output));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Validates a report against `spec/training-report.schema.json`, in Python.
fn validate(report: &Path) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/training-report.schema.json");
    let Some(python) = std::env::var_os("SEND_LEARN_PYTHON") else {
        eprintln!("skipped: SEND_LEARN_PYTHON names no Python with jsonschema");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validate_report.py");
    let output = Command::new(python).arg(script).arg(schema).arg(report).output().unwrap();
    match output.status.code() {
        Some(NO_LIBRARY) => eprintln!("skipped: {}", common::text(&output).trim()),
        code => assert_eq!(code, Some(0), "{}", common::text(&output)),
    }
}

/// What a browser shows of the page, as the page itself measures it.
const MEASURE: &str = r#"<script>
addEventListener("load", () => {
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  const boxes = [...document.querySelectorAll("svg[role=img]")].map((svg) => svg.getBoundingClientRect());
  const sizes = [...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((element) => element.getBoundingClientRect().width > 0)
    .map((element) => {
      const scale = element.ownerSVGElement ? element.ownerSVGElement.getScreenCTM().a : 1;
      return parseFloat(getComputedStyle(element).fontSize) * scale;
    });
  const measured = {
    width: innerWidth,
    content: document.documentElement.scrollWidth,
    pictures: boxes.filter((box) => box.width > 200 && box.height > 15 && box.left >= 0 && box.right <= innerWidth).length,
    smallest: Math.min(...sizes),
    background: getComputedStyle(document.body).backgroundColor,
    unnamed: [...document.querySelectorAll("svg[role=img]")]
      .filter((svg) => svg.getAttribute("aria-labelledby").split(" ").some((id) => !document.getElementById(id)?.textContent)).length,
    resources: performance.getEntriesByType("resource").length,
  };
  parent.postMessage(JSON.stringify(measured), "*");
});
</script>"#;

/// A window that is as narrow as a phone, which Chromium's own cannot be, and what the page in it measured.
const WINDOW: &str = r#"<meta name="color-scheme" content="light dark">
<style>body { margin: 0 } iframe { border: 0 }</style>
<script>addEventListener("message", (event) => { document.title = event.data; });</script>
<iframe width="WIDTH" height="844" src="measured.html"></iframe>"#;

#[test]
fn the_page_needs_nothing_else_and_fits_a_phone_in_light_and_dark() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    report(data.path(), folder.path());
    let page = fs::read_to_string(folder.path().join("training_report.html")).unwrap();
    for outside in ["<script", "http:", "https:", "src=", "href=", "@import", "url(//"] {
        assert!(!page.contains(outside), "the page refers to {outside}");
    }
    let pictures = page.matches("role=\"img\"").count();
    // Sittings, pitch, velocity, tempo, density, loudness, gaps of one take, and a roll for each of two names: what is private has none, nor what repeats another
    // take.
    assert_eq!(pictures, 9);
    assert_eq!((page.matches("<title id=").count(), page.matches("<desc id=").count()), (pictures, pictures));
    fs::write(folder.path().join("measured.html"), page.replace("</body>", &format!("{MEASURE}</body>"))).unwrap();
    let mut backgrounds = Vec::new();
    for (width, scheme) in [(390, 0), (390, 1), (1280, 0), (1280, 1)] {
        let Some(measured) = browse(folder.path(), width, scheme) else { return };
        println!("{measured}");
        assert_eq!((&measured["width"], &measured["content"]), (&json!(width), &json!(width)), "{measured}");
        assert_eq!((&measured["pictures"], &measured["unnamed"]), (&json!(pictures), &json!(0)), "{measured}");
        assert!(measured["smallest"].as_f64().unwrap() >= 16.0, "{measured}");
        assert_eq!(measured["resources"], json!(0));
        backgrounds.push(measured["background"].clone());
    }
    assert!(backgrounds[0] != backgrounds[1] && backgrounds[0] == backgrounds[2], "{backgrounds:?}");
}

/// What `measured.html` in `folder` measured in headless Chromium, `width` pixels wide, in dark (0) or light (1).
fn browse(folder: &Path, width: u32, scheme: u32) -> Option<Value> {
    let profile = tempfile::tempdir().unwrap();
    let window = folder.join("window.html");
    fs::write(&window, WINDOW.replace("WIDTH", &width.to_string())).unwrap();
    let program = std::env::var_os("SEND_LEARN_CHROMIUM").unwrap_or_else(|| "chromium".into());
    let output = Command::new(&program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--hide-scrollbars", "--dump-dom", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--window-size=1300,900")
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(&window)
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no {}; SEND_LEARN_CHROMIUM may name one", program.display());
        return None;
    };
    let dom = String::from_utf8_lossy(&output.stdout);
    let measured = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    Some(serde_json::from_str(measured.unwrap_or_else(|| panic!("{}", common::text(&output)))).unwrap())
}
