//! The Send Learn receiver: takes streams from the network and records them to HDF5.
//!
//! The data's way, file by file: [`socket`] gets datagrams, [`server`] feeds the protocol's state machine and hands entries
//! to the [`recorder`], which writes them to the [`journal`] and says what is durable; the [`archive`] reads the journal in
//! order, a [`timeline`] places its records on the take's sample axis, and the [`store`] writes them to HDF5. The [`tap`]
//! shows everything live; [`status`] says how it goes, and [`control`] and [`metrics`] tell it to other programs. The [`settings`] say how all
//! that is to be, [`disk`] watches the room that is left, and [`retention`] removes what is too old.
//!
//! What was recorded goes on from there: a [`source`] joins the parts of each take, [`sequences`] cuts windows on the common timeline,
//! with their audio [`features`] and their [`music`], and [`export`] writes them in the formats of those who train models;
//! [`quality`] and [`report`] say what a recording is worth.
#![deny(unsafe_code)]

pub mod announce;
pub mod archive;
pub mod assembly;
pub mod clock;
pub mod control;
pub mod data_folder;
mod digest;
pub mod disk;
pub mod doctor;
pub mod export;
pub mod features;
pub mod health;
pub mod journal;
pub mod metrics;
pub mod music;
pub mod names;
pub mod packet;
pub mod plot;
pub mod prune;
pub mod quality;
pub mod queue;
pub mod ranges;
pub mod recorder;
pub mod repair;
pub mod replay;
pub mod report;
pub mod retention;
pub mod sequences;
pub mod server;
pub mod session;
pub mod settings;
pub mod sidecar;
pub mod socket;
pub mod source;
pub mod status;
pub mod store;
pub mod take;
pub mod tap;
pub mod timeline;
