//! What the whole-system tests and the demo share: a host for the real plugin, music to play through it, a bad network, and
//! the processes on both sides. Nothing here looks into the programs under test: it drives what a person would run.

#![deny(unsafe_code)]

pub mod audio;
pub mod host;
pub mod leash;
pub mod namespaces;
pub mod own;
pub mod pcap;
pub mod piece;
pub mod process;
pub mod products;
pub mod python;
pub mod relay;
pub mod rig;
pub mod score;
pub mod synth;
pub mod tunes;
