//! What fuzzing does: a body for each parser that reads what others wrote, and one for each of the state machines' lives. A body is
//! a function of some bytes. It panics when a promise breaks: that nothing panics, that nothing grows, and that what is written
//! reads back.
//!
//! `cargo xtask fuzz` feeds the bodies by libFuzzer, which learns from the branches that are taken; an ordinary test feeds them
//! what it had found so far, `corpus/`.

mod bytes;
mod files;
mod life;
mod messages;
mod parity;
mod records;
pub mod saved;

/// A body and its name.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As in `cargo xtask fuzz NAME` and `corpus/NAME.hex`.
    pub name: &'static str,
    /// Takes any bytes.
    pub body: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 17] = [
    Target { name: "datagram", body: messages::datagram },
    Target { name: "hello", body: messages::hello },
    Target { name: "feedback", body: messages::feedback },
    Target { name: "probe", body: messages::probe },
    Target { name: "close", body: messages::close },
    Target { name: "tap", body: messages::tap },
    Target { name: "entry", body: records::entry },
    Target { name: "record", body: records::record },
    Target { name: "pack", body: records::pack },
    Target { name: "preview", body: records::preview },
    Target { name: "parity", body: parity::hostile },
    Target { name: "rebuild", body: parity::rebuild },
    Target { name: "spool", body: files::spool },
    Target { name: "journal", body: files::journal },
    Target { name: "smf", body: files::smf },
    Target { name: "wav", body: files::wav },
    Target { name: "life", body: life::life },
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
