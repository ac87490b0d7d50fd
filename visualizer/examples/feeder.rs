//! A stand-in for a receiver's tap, to look at the view without one: plays made-up music on some streams.
//!
//! `cargo run -p send-learn-visualizer --example feeder -- [PORT] [STREAMS]`, then `send-learn-visualizer --connect 127.0.0.1:PORT`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::band::{Player, RATE};

const BLOCK: u64 = 512;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(8080_u16);
    let streams = arguments.next().and_then(|streams| streams.parse().ok()).unwrap_or(1_u32);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (mut viewer, _) = listener.accept()?;
        let mut players: Vec<Player> = (0..streams).map(Player::new).collect();
        let mut bytes = common::greeting();
        players.iter().for_each(|player| player.stream_up(&mut bytes));
        // What a receiver gives a viewer that comes late: the last seconds at once.
        let start = Instant::now().checked_sub(Duration::from_secs(9)).unwrap_or_else(Instant::now);
        let mut position = 0;
        while viewer.write_all(&bytes).is_ok() {
            bytes.clear();
            if position + BLOCK < (start.elapsed().as_secs_f64() * RATE) as u64 {
                players.iter_mut().for_each(|player| player.block(&mut bytes, position, BLOCK));
                position += BLOCK;
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
