//! Why does nothing arrive? What can be found out about it from here, in words, each with what to do.

mod address;
mod answer;
mod firewall;
mod folder;
mod listening;
mod plugin;
mod seen;
mod system;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

/// The port that receivers use unless told otherwise.
const PORT: u16 = 8080;

/// What is to be looked at.
#[derive(Clone, Debug)]
pub struct Question {
    /// The receiver's data folder.
    pub data: PathBuf,
    /// A receiver that does not get what is sent to it; without, the one of this machine.
    pub to: Option<SocketAddr>,
}

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing; may be the reason.
    Note,
    /// This keeps streams from arriving or being recorded.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word.
    pub about: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub words: String,
    /// What to do; empty where there is nothing to be done.
    pub advice: String,
}

impl Finding {
    fn new(about: &'static str, verdict: Verdict, words: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { about, verdict, words: words.into(), advice: advice.into() }
    }

    fn good(about: &'static str, words: impl Into<String>) -> Self {
        Self::new(about, Verdict::Good, words, "")
    }

    fn note(about: &'static str, words: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(about, Verdict::Note, words, advice)
    }

    fn bad(about: &'static str, words: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(about, Verdict::Bad, words, advice)
    }
}

/// Looks at everything, in the order in which it matters. Takes some seconds: answers are waited for.
pub fn examine(question: &Question) -> Vec<Finding> {
    let mut findings = Vec::new();
    let addresses = address::list();
    match question.to {
        Some(to) => findings.push(answer::at(to)),
        None => {
            let listening = listening::at_home(&question.data);
            findings.extend(listening.findings);
            findings.extend(address::reachable(&addresses, listening.address));
            findings.extend(listening.address.and_then(|address| firewall::of(address, &addresses)));
            findings.push(system::receive_buffer());
            findings.extend(folder::data(&question.data));
        }
    }
    if question.to.is_some() {
        findings.extend(address::reachable(&addresses, None));
    }
    findings.push(folder::key());
    findings.push(system::clock());
    findings.push(plugin::bundles());
    findings.push(seen::receivers(&question.data));
    findings
}
