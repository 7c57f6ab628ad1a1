//! What the world is like in a run: how often which thing happens. Follows from the seed, so that some runs are nearly
//! calm and get far, and others are nothing but trouble.

use super::Random;

/// One of the things that happen in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// A message, or a few, arrive.
    Deliver,
    /// Time passes: the clocks tick.
    Tick,
    /// A client asks, gives up, or looks at its answer.
    Client,
    /// A member applies some of what was handed over.
    Apply,
    /// A lease is granted, revoked, renewed, or found to have run out.
    Lease,
    /// A chunk of a snapshot arrives, or the transfer breaks.
    Transfer,
    /// A state machine's state becomes durable.
    Flush,
    /// A state machine has no room for more entries from now on, or has again.
    Room,
    /// A process or its machine stops.
    Crash,
    /// A process starts.
    Restart,
    /// The power of a machine will fail between two effects of a turn to come.
    Power,
    /// A member's disk will fail, fill up, or write in pieces.
    DiskFault,
    /// The next sync of a member takes long.
    SlowSync,
    /// A member gets no time at all for a while.
    Pause,
    /// The network is cut, in one direction or both, or whole again.
    Partition,
    /// A clock jumps, or goes at another speed.
    Clock,
    /// Somebody asks for an election or a new leader.
    Leadership,
    /// A member hears that another one's process has ended. It may be true.
    Rumor,
    /// A membership change is proposed.
    Membership,
}

/// How often things happen.
#[derive(Debug, Clone)]
pub(super) struct Weather {
    weights: Vec<(Happening, u64)>,
    total: u64,
    /// Percent of messages that arrive in order.
    pub(super) in_order: u64,
    /// Percent of messages lost.
    pub(super) loss: u64,
    /// Percent that arrive twice in short order.
    pub(super) twice: u64,
    /// Percent that arrive a second time, much later.
    pub(super) late: u64,
    /// Percent that take their time.
    pub(super) delay: u64,
    /// Percent of snapshots that are received while the power is about to fail.
    pub(super) interrupted: u64,
    /// Percent of inputs that wait for others before the member takes a turn.
    pub(super) gather: u64,
    /// Percent of turns after which everything that was handed over is applied before anything else happens.
    pub(super) prompt: u64,
}

impl Weather {
    pub(super) fn draw(random: &mut Random, membership: bool) -> Weather {
        use Happening::*;
        // From 1, calm, to 5, where what existed before is torn down all the time.
        let trouble = 1 + random.below(5);
        let mut some = |weight: u64| if random.chance(65) { weight * trouble } else { 0 };
        let weights = vec![
            (Deliver, 4_200),
            (Tick, 700),
            (Client, 2_800),
            (Apply, 400),
            (Lease, 1_000),
            (Transfer, 500),
            (Flush, 150),
            (Restart, 400),
            (Crash, some(25)),
            (Power, some(25)),
            (DiskFault, some(15)),
            (SlowSync, some(40)),
            (Pause, some(15)),
            (Room, some(15)),
            (Partition, some(45)),
            (Clock, some(25)),
            (Leadership, some(20)),
            (Rumor, some(60)),
            (Membership, if membership { 60 } else { 0 }),
        ];
        let total = weights.iter().map(|(_, weight)| weight).sum();
        Weather {
            weights,
            total,
            in_order: *pick(random, &[0, 50, 90, 99, 100]),
            loss: *pick(random, &[0, 0, 1, 3, 10]),
            twice: *pick(random, &[0, 0, 2, 5]),
            late: *pick(random, &[0, 5, 15, 30]),
            delay: *pick(random, &[0, 0, 3, 15]),
            interrupted: 15,
            gather: *pick(random, &[0, 15, 50, 80]),
            prompt: *pick(random, &[5, 50, 90, 100]),
        }
    }

    /// No more trouble.
    pub(super) fn quiet(&mut self) {
        let Weather { in_order, loss, twice, late, delay, interrupted, gather, .. } = self;
        *in_order = 100;
        for trouble in [loss, twice, late, delay, interrupted, gather] {
            *trouble = 0;
        }
    }

    pub(super) fn next(&self, random: &mut Random) -> Happening {
        let mut at = random.below(self.total);
        for (happening, weight) in &self.weights {
            if at < *weight {
                return *happening;
            }
            at -= weight;
        }
        Happening::Deliver
    }
}

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> &'a T {
    &from[random.index(from.len())]
}
