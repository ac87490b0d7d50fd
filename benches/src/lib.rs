//! What the benches share. `benches/` has one file per question a user would ask.

pub mod music;
pub mod playing;
pub mod process;
