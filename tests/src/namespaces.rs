//! Two machines on a network of their own: network namespaces of Linux, joined by a cable (a pair of virtual interfaces) that
//! loses datagrams, has a certain width, and can be unplugged. Needs root; nothing outside of the namespaces is touched.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::wait_for;

/// One of the two machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Where music is made.
    Studio,
    /// Where it is recorded.
    Workstation,
}

impl Machine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Studio, Self::Workstation];

    /// Its address. The other end of the network is the only place that it can be reached from.
    pub fn address(self) -> Ipv4Addr {
        match self {
            Self::Studio => Ipv4Addr::new(10, 77, 0, 1),
            Self::Workstation => Ipv4Addr::new(10, 77, 0, 2),
        }
    }

    /// Its end of the cable.
    fn interface(self) -> &'static str {
        match self {
            Self::Studio => "studio",
            Self::Workstation => "workstation",
        }
    }
}

/// The network. It is gone when this value is, and with it the way of every process that still runs in it.
#[derive(Debug)]
pub struct Network {
    name: String,
}

impl Network {
    /// A network without faults; `None`, with the reason printed, where this machine does not let the test make one.
    ///
    /// # Errors
    /// When a part of it cannot be made although the first could.
    pub fn new() -> Result<Option<Self>> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for tool in ["ip", "iptables"] {
            if Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
                println!("skipped: {tool} is not there (`cargo xtask setup` installs it on Debian and Ubuntu)");
                return Ok(None);
            }
        }
        remove_those_of_dead_tests();
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let network = Self { name };
        if let Err(why) = run("ip", &["netns", "add", &network.namespace(Machine::Studio)]) {
            println!("skipped: this machine lets the test make no network namespace: {why}");
            return Ok(None);
        }
        run("ip", &["netns", "add", &network.namespace(Machine::Workstation)])?;
        let [studio, workstation] = Machine::ALL.map(|machine| network.namespace(machine));
        let ends = Machine::ALL.map(Machine::interface);
        // Made inside: the machine's own interfaces are never seen.
        let cable = ["link", "add", ends[0], "netns", &studio, "type", "veth", "peer", "name", ends[1], "netns", &workstation];
        run("ip", &cable)?;
        for machine in Machine::ALL {
            network.ip(machine, &["address", "add", &format!("{}/24", machine.address()), "dev", machine.interface()])?;
            // Datagrams that leave in one call of the system cross the cable one by one, as they would on a real one, and are
            // lost one by one.
            network.ip(machine, &["link", "set", machine.interface(), "gso_max_segs", "1"])?;
            network.ip(machine, &["link", "set", "lo", "up"])?;
            network.ip(machine, &["link", "set", machine.interface(), "up"])?;
        }
        Machine::ALL.into_iter().try_for_each(|machine| network.wait_until_up(machine))?;
        if let Err(why) = network.filter(Machine::Studio, &["--list"]) {
            println!("skipped: this machine filters no datagrams: {why}");
            return Ok(None);
        }
        Ok(Some(network))
    }

    /// `command`, to be run on a machine: its program, arguments and environment. Where it reads and writes is to be said again.
    pub fn on(&self, machine: Machine, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &self.namespace(machine)]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        there
    }

    /// From now on each machine loses this share of the UDP datagrams that reach it.
    ///
    /// # Errors
    /// When the rule cannot be made.
    pub fn lose(&self, share: f64) -> Result<()> {
        let share = share.to_string();
        let rule = ["--append", "INPUT", "--protocol", "udp", "--match", "statistic", "--mode", "random", "--probability", &share];
        Machine::ALL.into_iter().try_for_each(|machine| self.filter(machine, &[&rule[..], &["--jump", "DROP"]].concat()).map(drop))
    }

    /// How many datagrams a machine has lost.
    ///
    /// # Errors
    /// When the rule of [`lose`](Self::lose) is not there.
    pub fn lost(&self, machine: Machine) -> Result<u64> {
        let listed = self.filter(machine, &["--list", "INPUT", "--verbose", "--exact", "--numeric"])?;
        let rule = listed.lines().find(|line| line.contains("DROP") && line.contains("statistic")).context("no such rule")?;
        Ok(rule.split_whitespace().next().context("no counter")?.parse()?)
    }

    /// From now on the cable takes so many bits per second each way, with a queue of 100 ms. False, with the reason printed, where
    /// the system has no such thing.
    pub fn limit(&self, bits_per_second: u64) -> bool {
        let rate = format!("{bits_per_second}bit");
        for machine in Machine::ALL {
            let shape =
                ["qdisc", "add", "dev", machine.interface(), "root", "tbf", "rate", &rate, "burst", "16kb", "latency", "100ms"];
            if let Err(why) = run("ip", &[&["netns", "exec", &self.namespace(machine), "tc"], &shape[..]].concat()) {
                println!("without a limit of the rate: {why}");
                return false;
            }
        }
        true
    }

    /// Pulls the cable out at the studio machine, or puts it in again.
    ///
    /// # Errors
    /// When the interface does not obey.
    pub fn plug(&self, in_again: bool) -> Result<()> {
        self.ip(Machine::Studio, &["link", "set", Machine::Studio.interface(), if in_again { "up" } else { "down" }])
    }

    fn namespace(&self, machine: Machine) -> String {
        format!("{}-{}", self.name, machine.interface())
    }

    /// A cable is there a moment after it was put in, and programs look at once for the networks that there are.
    fn wait_until_up(&self, machine: Machine) -> Result<()> {
        let show = ["-netns", &self.namespace(machine), "-oneline", "link", "show", machine.interface()];
        let is_up = || run("ip", &show).is_ok_and(|shown| shown.contains("state UP"));
        wait_for(UP, || is_up().then_some(())).with_context(|| format!("the {} has no network", machine.interface()))
    }

    fn ip(&self, machine: Machine, arguments: &[&str]) -> Result<()> {
        run("ip", &[&["-netns", &self.namespace(machine)], arguments].concat()).map(drop)
    }

    /// Runs iptables on a machine; gives what it prints.
    ///
    /// # Errors
    /// When it fails.
    pub fn filter(&self, machine: Machine, arguments: &[&str]) -> Result<String> {
        run("ip", &[&["netns", "exec", &self.namespace(machine), "iptables", "--wait"], arguments].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in Machine::ALL {
            // The cable goes with the namespaces; one that was never made is no fault.
            let _ = run("ip", &["netns", "delete", &self.namespace(machine)]);
        }
    }
}

/// Within this long a cable is there.
const UP: Duration = Duration::from_secs(5);

/// What every namespace of these tests is called; the process's number follows.
const PREFIX: &str = "send-learn-test-";

/// A test that was killed could not remove its namespaces.
fn remove_those_of_dead_tests() {
    for namespace in run("ip", &["netns", "list"]).unwrap_or_default().lines().filter_map(|line| line.split_whitespace().next()) {
        let process = namespace.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| fs::metadata(format!("/proc/{process}")).is_err()) {
            let _ = run("ip", &["netns", "delete", namespace]);
        }
    }
}

/// Runs a tool of the system to its end; what it printed.
fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new(program).args(arguments).stdin(Stdio::null()).output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("`{program} {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
