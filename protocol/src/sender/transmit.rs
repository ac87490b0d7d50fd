//! What a sender sends, most urgent first.

use super::*;

impl Sender {
    /// Writes the next datagram that is to be sent now into `out`; false when there is none.
    pub fn poll_transmit(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        match &self.link {
            Link::Asking { .. } => self.send_hello(now, out),
            Link::Up { .. } => {
                self.send_close(now, out)
                    || self.send_probe(now, out)
                    || self.send_live(now, out)
                    || self.send_parity(now, out)
                    || self.send_gone(now, out)
                    || self.send_repeat(now, out)
            }
            Link::Refused { .. } | Link::Finished => false,
        }
    }

    fn send_hello(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let Link::Asking { cookie, due, pause } = &mut self.link else { return false };
        if now < *due {
            return false;
        }
        *due = now.after(*pause);
        *pause = (*pause * 2).min(HELLO_SLOWEST);
        let hello = Hello {
            versions: (VERSION, VERSION),
            cookie: *cookie,
            // What is lost since then is told with its reason.
            first: self.retention.durable(),
            next: self.retention.next(),
            description: self.description.clone(),
        };
        hello.write(&mut self.payload);
        self.emit(out, Kind::Hello)
    }

    fn send_close(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let durable = self.all_durable();
        let Link::Up { close_due, closes, .. } = &mut self.link else { return false };
        if !durable || now < *close_due {
            return false;
        }
        if *closes == CLOSES {
            self.become_finished();
            return false;
        }
        *closes += 1;
        *close_due = now.after(REPEAT_INTERVAL);
        Close { end: self.retention.next() }.write(&mut self.payload);
        self.emit(out, Kind::Close)
    }

    fn send_probe(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if now < self.probe_due {
            return false;
        }
        let busy = self.stats.durable < self.next_live;
        let pause = match self.exchanges {
            0..8 => PROBE_FIRST,
            _ if busy => PROBE_BUSY,
            _ => PROBE_IDLE,
        };
        self.probe_due = now.after(pause);
        Probe { sent_at: now, next: self.next_live }.write(&mut self.payload);
        self.emit(out, Kind::Probe)
    }

    fn send_live(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let held_back = self.mode == SendMode::Fast && self.next_live.0 >= self.stats.received.0 + FAST_WINDOW;
        let parity_first = self.encoder.has_parity() && now >= self.parity_due;
        if held_back || parity_first {
            return false;
        }
        let number = self.next_live;
        let Some(kept) = self.retention.entry(number) else { return false };
        kept.sent = Some(now);
        let entry = kept.entry.clone();
        self.next_live.0 += 1;
        if !self.encoder.has_open() {
            self.encoder.set_plan(self.redundancy.plan());
            self.group_opened = Some(now);
        }
        let had_parity = self.encoder.has_parity();
        let shard = self.encoder.push(&entry);
        if !self.encoder.has_open() {
            self.group_opened = None;
        }
        // After each entry one parity may go: that is the spreading while entries flow.
        self.parity_due = if had_parity { now } else { now.after(PARITY_SPACING) };
        let head = Head { shard: Some(shard), ..self.head(Kind::Source) };
        header::write(out, head, &entry);
        self.count(out)
    }

    fn send_parity(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if now < self.parity_due {
            return false;
        }
        let Some(parity) = self.encoder.pop() else { return false };
        self.parity_due = now.after(PARITY_SPACING);
        self.stats.parities += 1;
        let head = Head { shard: Some(parity.shard), ..self.head(Kind::Parity) };
        header::write(out, head, &parity.payload);
        self.count(out)
    }

    fn send_gone(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let Some(gone) = self.next_gone(now) else { return false };
        gone.write(&mut self.payload);
        self.emit(out, Kind::Gone)
    }

    fn send_repeat(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if !self.repeats.has_room(now, self.stats.round_trip) {
            return false;
        }
        let patience = self.repeats.patience(self.stats.round_trip);
        while let Some(range) = self.missing.front_mut() {
            let absent = self.retention.recall(*range);
            let number = SourceNumber(range.first.0 + absent);
            range.count = range.count.saturating_sub(absent + 1);
            range.first = SourceNumber(number.0 + 1);
            if range.count == 0 {
                self.missing.pop_front();
            }
            let Some(kept) = self.retention.entry(number) else { continue };
            if kept.sent.is_some_and(|sent| now.since(sent) < patience) {
                continue;
            }
            let flags = if kept.sent.is_some() { FLAG_REPEAT } else { FLAG_BACKFILL };
            kept.sent = Some(now);
            let entry = kept.entry.clone();
            self.repeats.add(now);
            self.stats.repeats += 1;
            let head = Head { flags, ..self.head(Kind::Source) };
            header::write(out, head, &entry);
            return self.count(out);
        }
        false
    }

    fn head(&mut self, kind: Kind) -> Head {
        let head = Head::new(kind, self.session, self.packet);
        self.packet.0 += 1;
        head
    }

    fn emit(&mut self, out: &mut Vec<u8>, kind: Kind) -> bool {
        let head = self.head(kind);
        header::write(out, head, &self.payload);
        self.count(out)
    }

    fn count(&mut self, out: &[u8]) -> bool {
        self.stats.datagrams += 1;
        self.stats.bytes += out.len() as u64;
        true
    }
}
