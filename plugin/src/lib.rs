//! Everything of Send Learn that runs on the studio machine.

#![forbid(unsafe_code)]

pub mod address;
pub mod assemble;
pub mod capture;
pub mod clock;
pub mod report;
pub mod ring;
pub mod socket;
pub mod transport;
pub mod uplink;
