//! `keyport cluster`: three members on this machine, to try things out. Each is a process of its own, as it would be on
//! a machine of its own; what they write goes to files, and comes out behind their names where it must not be missed.

mod member;
mod output;
mod plan;
mod standing;

use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::{command_line, net};
use member::{Member, Recipe};
use plan::Plan;

const NAMES: [&str; 3] = ["m1", "m2", "m3"];
/// How often the processes are looked at.
const WATCH: Duration = Duration::from_millis(100);
const HELP: &str = "\
Usage: keyport cluster [directory] [--tls] [flags for every member]
  Runs three members on 127.0.0.1, for trying things out: clients on 2379, 22379 and 32379, peers one port further.
  The directory (./keyport-cluster) keeps their data from one run to the next, and their logs, which are shown here
  if there is a --log-level among the flags.
  With --tls every connection is encrypted and needs a certificate, between members and from clients. Certificates
  are made in the directory, which is ./keyport-cluster-tls then, and what to type to use them is said.
";

/// Whether a command line asks for this.
pub fn is_asked_for(args: &[String]) -> bool {
    command_line::asks_for(args, "cluster")
}

/// Runs the members until `shutdown`; then asks them to end and waits for that.
///
/// # Errors
/// When a port is taken, a process cannot be started, or none of them stays.
pub async fn run(args: &[String], shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let words = args.get(1..).unwrap_or_default();
    if words.iter().any(|word| matches!(word.as_str(), "-h" | "-help" | "--help")) {
        let _ = io::stdout().write_all(HELP.as_bytes());
        return Ok(());
    }
    let plan = Plan::read(words)?;
    for number in 0..NAMES.len() {
        check_ports(number)?;
    }
    plan.prepare()?;
    let mut members = start(&plan)?;
    plan.hints().iter().for_each(|hint| say(hint));

    let mut keys = keys();
    let mut standing = standing::follow(&plan);
    let mut said = None;
    let mut clock = tokio::time::interval(WATCH);
    tokio::pin!(shutdown);
    let outcome = loop {
        tokio::select! {
            () = &mut shutdown => break Ok(()),
            Some(number) = keys.recv() => {
                if let Some(member) = members.get_mut(number) {
                    member.toggle()?;
                }
            }
            _ = clock.tick() => {
                members.iter_mut().try_for_each(Member::look)?;
                if members.iter().all(Member::has_left) {
                    break Err(io::Error::other("all members have ended"));
                }
            }
            Ok(()) = standing.changed() => {}
        }
        let running = std::array::from_fn(|number| members.get(number).is_some_and(Member::runs));
        let sentence = standing.borrow().sentence(running);
        if sentence.is_some() && sentence != said {
            sentence.iter().for_each(|sentence| say(sentence));
            said = sentence;
        }
    };
    members.iter_mut().for_each(Member::ask_to_end);
    while members.iter().any(Member::is_there) {
        clock.tick().await;
        members.iter_mut().try_for_each(Member::look)?;
    }
    outcome
}

fn start(plan: &Plan) -> io::Result<Vec<Member>> {
    let mut members = Vec::new();
    for (number, name) in NAMES.iter().enumerate() {
        let mut command = plan.command(number)?;
        // Ctrl-C reaches this process only, which then ends them in order.
        command.process_group(0);
        let log = plan.dir.join(format!("{name}.log"));
        let (url, show) = (plan.client_url(number), output::is_wanted(&plan.flags));
        members.push(Member::start(Recipe { number, command, url, log, show })?);
    }
    say(&format!("three members; their data and logs are in {}", plan.dir.display()));
    members.iter().for_each(Member::introduce);
    say("1, 2 or 3 and Enter kills that member, or starts it again. Ctrl-C ends all.");
    Ok(members)
}

fn say(text: &str) {
    output::print("--", text);
}

fn because(what: &dyn std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Said before anybody starts: two members would go on without the third, beside whoever answers at its address.
fn check_ports(number: usize) -> io::Result<()> {
    for port in <[u16; 2]>::from(plan::ports(number)) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        net::check_free(address)
            .map_err(|error| because(&format_args!("m{} cannot listen on {address}", number + 1), &error))?;
    }
    Ok(())
}

/// The members' numbers that somebody types. Reading blocks, so a thread does it; it ends with the process.
fn keys() -> mpsc::Receiver<usize> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            let number = line.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            if let Some(number) = number
                && sender.blocking_send(number).is_err()
            {
                return;
            }
        }
    });
    receiver
}
