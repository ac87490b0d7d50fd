//! What a sender makes of the receiver's answers.

use super::*;

impl Sender {
    /// A datagram came.
    pub fn handle_datagram(&mut self, now: HostNanos, datagram: &[u8]) {
        let Ok((head, payload)) = header::read(datagram) else {
            self.stats.rejected += 1;
            return;
        };
        if head.session != self.session || matches!(self.link, Link::Finished) {
            return;
        }
        let understood = match &self.security {
            Some(_) => self.handle_keyed(now, &head, payload, datagram),
            None if head.is_sealed() => None,
            None => self.handle_message(now, head.kind, payload),
        };
        if understood.is_none() {
            self.stats.rejected += 1;
        } else if let Link::Up { heard, .. } = &mut self.link {
            *heard = now;
            self.unanswered = None;
            if std::mem::take(&mut self.away) {
                self.go_on(now);
            }
        }
    }

    /// With a key, only what is authentic counts; but a retry, which the handshake needs, and words about why there is no session.
    fn handle_keyed(&mut self, now: HostNanos, head: &Head, payload: &[u8], datagram: &[u8]) -> Option<()> {
        let security = self.security.as_mut()?;
        match (&mut self.link, head.kind) {
            (Link::Asking { cookie, baked, due, .. }, Kind::Retry) => {
                let answer = Cookie::try_from(payload).ok()?;
                let first = *cookie == Cookie::default();
                if answer != *cookie && (first || now.since(*baked) >= COOKIE_KEPT) {
                    (*cookie, *baked, *due) = (answer, now, now);
                    security.begin_handshake();
                }
                Some(())
            }
            (Link::Asking { .. }, Kind::HelloAck) => {
                let ack = HelloAck::read(security.finish_handshake(payload)?).ok()?;
                self.on_accepted(now, ack);
                Some(())
            }
            (Link::Asking { cookie, told, .. }, Kind::Refuse) => {
                if let Some(reason) = security.refuses_hello(self.session, *cookie, payload) {
                    self.on_refused(now, reason);
                    return Some(());
                }
                let reason = Refusal::read(payload).ok()?;
                if told.replace((reason, now)).is_none_or(|(before, _)| before != reason) {
                    self.events.push_back(SenderEvent::Refused(reason));
                }
                None
            }
            (Link::Up { .. }, Kind::Refuse) if !head.is_sealed() => {
                let reason = security.refuses_probe(self.session, head.packet, payload)?;
                self.on_refused(now, reason);
                Some(())
            }
            (Link::Up { .. }, Kind::Feedback | Kind::ProbeReply | Kind::CloseAck | Kind::Refuse) => {
                let mut text = std::mem::take(&mut self.opened);
                let opened = security.open(datagram, head, &mut text);
                let understood = opened.and_then(|()| self.handle_message(now, head.kind, &text));
                self.opened = text;
                understood
            }
            _ => None,
        }
    }

    /// The network is back: live goes on with what is new. What it left out is asked for by the receiver.
    fn go_on(&mut self, now: HostNanos) {
        self.encoder.close_all();
        self.encoder.forget_parities();
        if self.mode == SendMode::Live {
            self.previews.clear();
            self.next_live = self.next_live.max(self.first_live(now));
            self.announced = self.announced.max(self.next_live);
        }
    }

    /// The first entry that is recent enough to be sent as live.
    fn first_live(&self, now: HostNanos) -> SourceNumber {
        self.retention.first_written_since(HostNanos(now.0.saturating_sub(LIVE_AGE.as_nanos() as u64)))
    }

    fn handle_message(&mut self, now: HostNanos, kind: Kind, payload: &[u8]) -> Option<()> {
        match kind {
            Kind::Retry => {
                let answer = Cookie::try_from(payload).ok()?;
                if let Link::Asking { cookie, due, .. } = &mut self.link {
                    *cookie = answer;
                    *due = now;
                }
            }
            Kind::HelloAck => self.on_accepted(now, HelloAck::read(payload).ok()?),
            Kind::Refuse => self.on_refused(now, Refusal::read(payload).ok()?),
            Kind::Feedback => self.on_feedback(now, Feedback::read(payload).ok()?),
            Kind::ProbeReply => self.on_reply(now, ProbeReply::read(payload).ok()?),
            Kind::CloseAck => {
                let close = Close::read(payload).ok()?;
                if self.all_durable() && close.end == self.retention.next() {
                    self.become_finished();
                }
            }
            Kind::Hello | Kind::Source | Kind::Parity | Kind::Probe | Kind::Gone | Kind::Close | Kind::Preview => return None,
        }
        Some(())
    }

    fn on_accepted(&mut self, now: HostNanos, ack: HelloAck) {
        if !matches!(self.link, Link::Asking { .. }) {
            return;
        }
        if self.has_all_of_an_earlier_life(ack.durable) {
            return self.become_finished();
        }
        self.link = Link::up(now);
        self.stats.storage = Storage::Good;
        self.advance_durable(ack.durable);
        self.next_live = match self.mode {
            SendMode::Live => self.first_live(now),
            SendMode::Fast => self.retention.first(),
        };
        self.announced = self.next_live;
        self.probe_due = now;
        self.gone_due = now;
        self.events.push_back(SenderEvent::Connected { receiver: ack.receiver });
    }

    fn on_refused(&mut self, now: HostNanos, reason: Refusal) {
        match reason {
            Refusal::Complete if self.ended || self.interrupted.is_some() => {
                self.advance_durable(self.retention.next());
                self.become_finished();
            }
            // The receiver was restarted and knows nothing of the session: ask for a new one.
            Refusal::UnknownSession => self.begin_session(now),
            _ => {
                self.link = Link::Refused { reason, until: now.after(REFUSED_PAUSE) };
                self.events.push_back(SenderEvent::Refused(reason));
            }
        }
    }

    fn on_feedback(&mut self, now: HostNanos, feedback: Feedback) {
        self.end_an_earlier_life(now, feedback.received);
        if !matches!(self.link, Link::Up { .. }) || feedback.received > self.retention.next() {
            return;
        }
        let situation = Situation {
            live_sent: self.flow.live_up_to(feedback.highest_packet),
            round_trip: self.round_trip.smoothed(),
            block: self.flow.block(),
            needs: self.flow.needs(),
            back_fill_waited: std::mem::take(&mut self.waited),
        };
        self.controller.on_feedback(now, &feedback, &situation);
        self.advance_durable(feedback.durable);
        self.stats.received = feedback.received.max(self.stats.received);
        self.stats.complete = feedback.complete;
        self.stats.repaired = feedback.repaired;
        self.stats.storage = feedback.storage;
        self.stats.loss = self.controller.loss();
        self.stats.level = self.controller.decision().level;
        self.stats.rate = self.rate();
        self.note_missing(now, &feedback.missing);
        if self.all_durable() {
            self.probe_due = self.probe_due.max(now);
        }
    }

    /// Only what was sent and is kept can be sent again. What is recent goes first.
    fn note_missing(&mut self, now: HostNanos, named: &[SourceRange]) {
        let age = if self.mode == SendMode::Live { URGENT_AGE } else { Duration::ZERO };
        let recent = self.retention.first_written_since(HostNanos(now.0.saturating_sub(age.as_nanos() as u64)));
        let part = |first: SourceNumber, end: SourceNumber| {
            let range = move |range: &SourceRange| {
                let (first, end) = (range.first.max(first), range.end().min(end));
                let count = end.0.checked_sub(first.0).filter(|count| *count > 0)?;
                Some(SourceRange { first, count })
            };
            named.iter().filter_map(range).collect()
        };
        let (first, end) = (self.retention.first_kept(), self.next_live);
        let middle = recent.clamp(first.min(end), end);
        self.missing = part(first, middle);
        self.urgent = part(middle, end);
    }

    fn on_reply(&mut self, now: HostNanos, reply: ProbeReply) {
        let exchange = Exchange { sent: reply.echo, received: reply.received_at, answered: reply.sent_at, returned: now };
        self.clock.add(exchange);
        self.exchanges = self.exchanges.saturating_add(1);
        if let Some(round_trip) = exchange.round_trip() {
            if self.round_trip.smoothed().is_zero() {
                // The receiver is told at once how eagerly to ask.
                self.probe_due = now;
            }
            self.round_trip.add(round_trip);
            // Follows a shorter one at once, a longer one slowly.
            let last = self.stats.round_trip;
            self.stats.round_trip = if last.is_zero() || round_trip < last { round_trip } else { (last * 7 + round_trip) / 8 };
        }
        if let Some(estimate) = self.clock.estimate().filter(|_| now >= self.clock_due && !self.ended) {
            self.clock_due = now.after(CLOCK_INTERVAL);
            let round_trip = estimate.round_trip.as_nanos() as u64;
            let record = ClockEstimate {
                position: self.position,
                host: estimate.at,
                offset: estimate.offset,
                round_trip,
                uncertainty: estimate.uncertainty.as_nanos() as u64,
                drift_ppb: estimate.drift_ppb,
            };
            self.stats.clock = Some(record);
            self.push(&Record::Clock(record));
            self.flush(now);
        }
    }
}
