//! The live 3D view of Send Learn: each stream a landscape of sound, with its notes, its tempo and the health of its line.
//!
//! Data flow: [`source`] (a thread) fills a mailbox; [`streams`] brings its events to the [`stream`]s; [`spectrum`] makes rows,
//! [`upload`] writes them into textures, [`terrain`], [`waveform`] and [`piano_roll`] draw them, [`hud`] says the rest in words.

pub mod app;
pub mod bars;
pub mod camera;
pub mod canvas;
pub mod choice;
pub mod clock;
pub mod curves;
pub mod deck;
pub mod drawing;
pub mod export;
pub mod film;
pub mod flat;
pub mod health;
pub mod history;
pub mod hud;
pub mod lane;
pub mod layout;
pub mod meter;
pub mod moment;
pub mod monitor;
pub mod notes;
pub mod piano_roll;
pub mod picking;
pub mod profile;
pub mod recovery;
pub mod ring;
pub mod score;
pub mod settings;
pub mod shot;
pub mod source;
pub mod spectrum;
pub mod stream;
pub mod streams;
pub mod terrain;
pub mod theme;
pub mod time_keys;
pub mod typing;
pub mod upload;
pub mod view;
pub mod waveform;
