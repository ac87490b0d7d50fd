//! What a sender sends, most urgent first.

use super::*;

/// Which entries are sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Those that were sent in this session: what was only previewed has time.
    Lost,
    /// Those that were not.
    Unsent,
    /// All.
    Any,
}

impl Sender {
    /// Writes the next datagram that is to be sent now into `out`; false when there is none.
    pub fn poll_transmit(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let sent = match &self.link {
            Link::Asking { .. } => self.send_hello(now, out),
            Link::Up { .. } if self.away => self.send_close(now, out) || self.send_probe(now, out),
            Link::Up { .. } => {
                self.bucket.fill(now, self.rate());
                self.send_close(now, out)
                    || self.send_probe(now, out)
                    || self.send_live(now, out)
                    || self.send_parity(now, out)
                    || self.send_urgent(now, out)
                    || self.send_gone(now, out)
                    || self.send_back_fill(now, out)
            }
            Link::Refused { .. } | Link::Finished => false,
        };
        if sent {
            self.bucket.take(out.len());
            self.stats.datagrams += 1;
            self.stats.bytes += out.len() as u64;
        }
        sent
    }

    /// Whether a queue on the way may mark this datagram, which was just written, instead of dropping it (ECT of RFC 3168):
    /// quality control of the live path heeds the marks. Back-fill has time and may be dropped; a file that goes as fast as it can
    /// heeds nothing.
    pub fn heeds_marks(&self, datagram: &[u8]) -> bool {
        self.mode == SendMode::Live && !header::is_back_fill(datagram)
    }

    fn send_hello(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let Some(cookie) = self.link.next_hello(now) else { return false };
        let hello = Hello {
            versions: (VERSION, VERSION),
            cookie,
            // What is lost since then is told with its reason.
            first: self.retention.durable(),
            next: self.retention.next(),
            description: self.description.clone(),
        };
        let mut head = self.head(now, Kind::Hello);
        match &mut self.security {
            Some(security) => {
                head.flags |= FLAG_SEALED;
                security.write_hello(self.session, &hello, &mut self.payload);
            }
            None => hello.write(&mut self.payload),
        }
        header::write(out, head, &self.payload);
        true
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
        self.emit(now, out, Kind::Close)
    }

    fn send_probe(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if now < self.probe_due && self.tail_due.is_none_or(|due| now < due) {
            return false;
        }
        self.tail_due = None;
        let busy = self.stats.durable < self.next_live;
        let overdue = self.unanswered.is_some_and(|since| now.since(since) >= self.round_trip.bound());
        let pause = match self.exchanges {
            0..8 => PROBE_FIRST,
            _ if overdue => PROBE_UNANSWERED,
            _ if busy => PROBE_BUSY,
            _ => PROBE_IDLE,
        };
        self.probe_due = now.after(pause);
        self.unanswered = self.unanswered.or(Some(now));
        let micros = |duration: Duration| duration.as_micros().try_into().unwrap_or(u32::MAX);
        let patience = match self.mode {
            SendMode::Live => self.controller.patience(self.round_trip.smoothed()),
            SendMode::Fast => Duration::ZERO,
        };
        Probe {
            sent_at: now,
            next: self.announced,
            patience_micros: micros(patience),
            round_trip_micros: micros(self.round_trip.smoothed()),
        }
        .write(&mut self.payload);
        self.emit(now, out, Kind::Probe)
    }

    fn send_live(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if let Some(preview) = self.previews.pop() {
            self.stats.previews += 1;
            return self.send_protected(now, Kind::Preview, &preview.into(), out);
        }
        if self.mode == SendMode::Fast && self.next_live.0 >= self.stats.received.0 + FAST_WINDOW {
            return false;
        }
        let next = self.next_live;
        if let Some(owed) = self.owed.iter().rev().find(|owed| (owed.first..owed.end()).contains(&next)) {
            // It went out as a preview.
            self.next_live = owed.end();
        }
        let Some(kept) = self.retention.entry(self.next_live) else { return false };
        kept.sent = Some(now);
        let entry = kept.entry.clone();
        self.next_live.0 += 1;
        self.announced = self.announced.max(self.next_live);
        self.send_protected(now, Kind::Source, &entry, out)
    }

    /// A datagram of the live path, within a group.
    fn send_protected(&mut self, now: HostNanos, kind: Kind, payload: &Arc<[u8]>, out: &mut Vec<u8>) -> bool {
        if self.mode == SendMode::Live {
            self.tail_due = Some(now.after(TAIL_PROBE));
        }
        if !self.encoder.has_open() {
            self.encoder.set_plan(self.plan());
            self.group_opened = Some(now);
        }
        if !self.encoder.has_parity() {
            self.parity_due = now.after(self.controller.decision().parity_spacing);
        }
        let shard = self.encoder.push(Arc::clone(payload));
        if !self.encoder.has_open() {
            self.group_opened = None;
        }
        let head = Head { shard: Some(shard), ..self.head(now, kind) };
        self.flow.note_live(head.packet);
        write(&mut self.security, out, head, payload);
        true
    }

    fn send_parity(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if now < self.parity_due {
            return false;
        }
        let Some(parity) = self.encoder.pop() else { return false };
        self.parity_due = now.after(self.controller.decision().parity_spacing);
        self.stats.parities += 1;
        let head = Head { shard: Some(parity.shard), ..self.head(now, Kind::Parity) };
        write(&mut self.security, out, head, &parity.payload);
        true
    }

    fn send_gone(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let Some(gone) = self.next_gone(now) else { return false };
        gone.write(&mut self.payload);
        self.emit(now, out, Kind::Gone)
    }

    /// What was lost of late: a live view may wait for it.
    fn send_urgent(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if !self.bucket.has_credit() {
            self.waited |= !self.urgent.is_empty();
            return false;
        }
        let mut urgent = std::mem::take(&mut self.urgent);
        let sent = self.send_again(now, &mut urgent, Again::Lost, out);
        self.urgent = urgent;
        sent
    }

    /// All else that is missing, as far as the pace allows: what is asked for, then what was only previewed.
    fn send_back_fill(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if !self.bucket.has_room() {
            self.waited |= !self.missing.is_empty() || !self.owed.is_empty();
            return false;
        }
        let mut missing = std::mem::take(&mut self.missing);
        let mut sent = self.send_again(now, &mut missing, Again::Any, out);
        self.missing = missing;
        if !sent {
            let mut owed = std::mem::take(&mut self.owed);
            sent = self.send_again(now, &mut owed, Again::Unsent, out);
            self.owed = owed;
        }
        sent
    }

    /// Sends the first entry of `ranges` that is kept and is not under way, and takes what is before it off them.
    fn send_again(&mut self, now: HostNanos, ranges: &mut VecDeque<SourceRange>, which: Again, out: &mut Vec<u8>) -> bool {
        let patience = self.round_trip.bound() + REPEAT_MARGIN;
        while let Some(range) = ranges.front_mut() {
            let absent = self.retention.recall(*range);
            let number = SourceNumber(range.first.0 + absent);
            range.count = range.count.saturating_sub(absent + 1);
            range.first = SourceNumber(number.0 + 1);
            if range.count == 0 {
                ranges.pop_front();
            }
            let Some(kept) = self.retention.entry(number) else { continue };
            let wanted = match which {
                Again::Lost => kept.sent.is_some(),
                Again::Unsent => kept.sent.is_none(),
                Again::Any => true,
            };
            if !wanted || kept.sent.is_some_and(|sent| now.since(sent) < patience) {
                continue;
            }
            let flags = if kept.sent.is_some() { FLAG_REPEAT } else { FLAG_BACKFILL };
            kept.sent = Some(now);
            let entry = kept.entry.clone();
            self.announced = self.announced.max(SourceNumber(number.0 + 1));
            self.stats.repeats += 1;
            let head = Head { flags, ..self.head(now, Kind::Source) };
            write(&mut self.security, out, head, &entry);
            return true;
        }
        false
    }

    fn head(&mut self, now: HostNanos, kind: Kind) -> Head {
        let head = Head { sent_micros: (now.0 / 1_000) as u32, ..Head::new(kind, self.session, self.packet) };
        self.packet.0 += 1;
        head
    }

    fn emit(&mut self, now: HostNanos, out: &mut Vec<u8>, kind: Kind) -> bool {
        let head = self.head(now, kind);
        write(&mut self.security, out, head, &self.payload);
        true
    }
}

/// Writes a datagram of a session: sealed, with a key.
fn write(security: &mut Option<Box<Security>>, out: &mut Vec<u8>, head: Head, payload: &[u8]) {
    match security {
        Some(security) => security.write(out, head, payload),
        None => header::write(out, head, payload),
    }
}
