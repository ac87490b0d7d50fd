#![doc = include_str!("../README.md")]

pub mod address;
pub mod assemble;
pub mod capture;
pub mod clock;
pub mod editor;
mod export;
pub mod files;
pub mod identity;
pub mod instance;
mod loaded;
pub mod midi;
pub mod pace;
pub mod params;
pub mod plugin;
mod queue;
pub mod report;
pub mod ring;
pub mod settings;
pub mod socket;
pub mod spool;
pub mod transport;
pub mod uplink;
