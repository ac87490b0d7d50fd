//! Follows every receiver that is found by name, for as long as it is there.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use send_learn_discovery::{Browser, DiscoveryError, Found};
use send_learn_protocol::units::ReceiverId;

use super::address::DEFAULT;
use super::live::{self, Hold, Target};
use super::{Event, Mailbox};

/// How often the list of receivers is looked at.
const ROUND: Duration = Duration::from_millis(250);
/// How long others may answer before the receiver of this machine is tried by its default address: it may be one of them.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most receivers that are followed at once.
const MAX_FOLLOWED: usize = 16;
/// The most receivers whose numbers are remembered while they are away.
const MAX_REMEMBERED: usize = 256;

/// Who is followed: a receiver by its identity, or, `None`, whoever has the default address.
type Who = Option<ReceiverId>;

/// Those that are followed.
#[derive(Debug)]
pub(super) struct Search {
    key_file: Option<PathBuf>,
    mailbox: Mailbox,
    followed: BTreeMap<Who, (Target, JoinHandle<()>)>,
    /// The number of each receiver, so that one that comes back is the same.
    numbers: BTreeMap<Who, u32>,
    next: u32,
}

/// Looks for receivers until nobody reads the mailbox.
pub(super) fn run(key_file: Option<PathBuf>, mailbox: &Mailbox) {
    let browser = Browser::start();
    let mut patience = PATIENCE;
    if let Err(error) = &browser {
        patience = Duration::ZERO;
        if *error != DiscoveryError::Off {
            mailbox.push(Event::Notice(error.to_string()));
        }
    }
    let began = Instant::now();
    let mut search = Search::new(key_file, mailbox.clone());
    while !mailbox.is_closed() {
        let found = browser.as_ref().map(Browser::receivers).unwrap_or_default();
        search.round(&found, began.elapsed() >= patience);
        thread::sleep(ROUND);
    }
}

impl Search {
    /// Follows nobody yet. The key is read from `key_file`, events go to `mailbox`.
    pub(super) fn new(key_file: Option<PathBuf>, mailbox: Mailbox) -> Self {
        Self { key_file, mailbox, followed: BTreeMap::new(), numbers: BTreeMap::new(), next: 0 }
    }

    /// Follows those that were found, and lets the others go when their connections end. With `own`, the receiver of this machine is
    /// followed too, if it is none of them.
    pub(super) fn round(&mut self, found: &[Found], own: bool) {
        self.followed.retain(|_, (_, thread)| !thread.is_finished());
        let is_among_them = found.iter().any(is_own);
        for (who, (target, _)) in &self.followed {
            target.hold(match who {
                Some(_) => Hold::WhileConnected,
                None if is_among_them => Hold::No,
                None => Hold::Yes,
            });
        }
        for receiver in found {
            let addresses = receiver.addresses.iter().map(ToString::to_string).collect();
            self.follow(Some(receiver.receiver), &receiver.name, addresses);
        }
        if own && !is_among_them {
            self.follow(None, DEFAULT, vec![DEFAULT.to_owned()]);
        }
    }

    fn follow(&mut self, who: Who, name: &str, addresses: Vec<String>) {
        if let Some((target, _)) = self.followed.get(&who) {
            target.move_to(addresses);
            target.hold(Hold::Yes);
            return;
        }
        if self.followed.len() >= MAX_FOLLOWED {
            return;
        }
        if self.numbers.len() >= MAX_REMEMBERED {
            self.numbers.retain(|who, _| self.followed.contains_key(who));
        }
        let next = &mut self.next;
        let number = *self.numbers.entry(who).or_insert_with(|| {
            *next += 1;
            *next
        });
        let target = Target::new(number, addresses);
        self.mailbox.push(Event::Receiver { receiver: number, name: name.to_owned(), is_last_resort: who.is_none() });
        // Without a thread it is tried again in the next round.
        if let Ok(thread) = live::spawn(target.clone(), self.key_file.clone(), self.mailbox.clone()) {
            self.followed.insert(who, (target, thread));
        }
    }
}

/// Whether it is the one that the default address stands for.
fn is_own(receiver: &Found) -> bool {
    let port = DEFAULT.rsplit(':').next().and_then(|port| port.parse().ok());
    receiver.addresses.iter().any(|address| Some(address.port()) == port && is_of_this_machine(address.ip()))
}

/// Only an address of this machine can be bound.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::Link;
    use super::*;

    fn found(name: &str, number: u8, listener: &TcpListener) -> Found {
        let addresses = vec![listener.local_addr().unwrap()];
        Found { name: name.into(), receiver: ReceiverId([number; 16]), version: 1, key: false, addresses }
    }

    /// Gathers events until one satisfies `last`.
    fn wait(mailbox: &Mailbox, last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let until = Instant::now() + Duration::from_secs(20);
        let mut events = Vec::new();
        while !events.iter().any(&last) {
            assert!(Instant::now() < until, "it did not come: {events:?}");
            events.extend(mailbox.take());
            thread::sleep(Duration::from_millis(5));
        }
        events
    }

    fn names(events: &[Event]) -> Vec<(u32, &str)> {
        let told =
            |event| if let &Event::Receiver { receiver, ref name, .. } = event { Some((receiver, name.as_str())) } else { None };
        events.iter().filter_map(told).collect()
    }

    #[test]
    fn all_that_are_found_are_followed_and_one_that_goes_is_let_go() {
        let mailbox = Mailbox::default();
        let mut search = Search::new(None, mailbox.clone());
        let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let both = [found("attic", 1, &listeners[0]), found("studio", 2, &listeners[1])];
        search.round(&both, false);
        let connections = listeners.each_ref().map(|listener| listener.accept().unwrap());
        search.round(&both, false);
        assert_eq!(names(&wait(&mailbox, |_| true)), [(1, "attic"), (2, "studio")], "each once");
        // It takes its announcement back, and is still followed; then it ends.
        search.round(&both[..1], false);
        assert_eq!(search.followed.len(), 2);
        drop(connections);
        wait(&mailbox, |event| *event == Event::Link { receiver: 2, link: Link::Gone });
        // The same comes back, under another address, as the same.
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        while search.followed.len() > 1 {
            search.round(&both[..1], false);
            thread::sleep(Duration::from_millis(5));
        }
        search.round(&[both[0].clone(), found("studio", 2, &elsewhere)], false);
        elsewhere.accept().unwrap();
        assert_eq!(names(&wait(&mailbox, |event| matches!(event, Event::Receiver { .. }))), [(2, "studio")]);
        mailbox.close();
    }

    #[test]
    fn the_receiver_of_this_machine_is_not_followed_twice() {
        let mailbox = Mailbox::default();
        let mut search = Search::new(None, mailbox.clone());
        search.round(&[], false);
        assert!(search.followed.is_empty(), "others may answer first");
        let mut own = found("here", 1, &TcpListener::bind("127.0.0.1:0").unwrap());
        own.addresses[0].set_port(8080);
        search.round(&[own], true);
        assert_eq!(search.followed.keys().collect::<Vec<_>>(), [&Some(ReceiverId([1; 16]))]);
        search.round(&[], true);
        assert!(search.followed.contains_key(&None));
        mailbox.close();
    }

    #[test]
    fn a_network_full_of_receivers_grows_no_memory() {
        let mailbox = Mailbox::default();
        let mut search = Search::new(None, mailbox.clone());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let many: Vec<Found> = (0..64).map(|number| found("x", number, &listener)).collect();
        search.round(&many, true);
        assert_eq!(search.followed.len(), MAX_FOLLOWED);
        assert!(search.numbers.len() <= MAX_FOLLOWED);
        mailbox.close();
    }
}
