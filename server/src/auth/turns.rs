//! Turns of those who wait to have a password looked at: so many at a time, and whoever came from one address does not wait for all
//! who came from another one before.
//!
//! There are two rounds, which go on in turn: of users who are known where they come from, a line for each of them, and of all others,
//! a line for each address. So whoever has many addresses, but no password, has half of the threads at most while others want them.
//! Who is gone when it is his turn is passed over.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// So many may wait in one line.
const MOST_IN_LINE: usize = 64;
/// And in all lines of a round. Beyond that the longest one gets shorter.
const MOST_IN_ROUND: usize = 1024;

/// Where somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(super) network: Option<IpAddr>,
    /// A hash of his name, if he is known.
    pub(super) user: Option<u64>,
}

/// Too many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowded;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    /// How many may begin at once. None, or nobody waits.
    free: usize,
    known: Round,
    others: Round,
    /// Who was served last.
    was_known: bool,
}

#[derive(Debug, Default)]
struct Round {
    lines: HashMap<Line, VecDeque<oneshot::Sender<Turn>>>,
    /// The lines that somebody waits in, the next one first.
    order: VecDeque<Line>,
    len: usize,
}

/// Somebody's turn, which ends with it.
#[derive(Debug)]
pub(super) struct Turn(Option<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass_on();
        }
    }
}

impl Turns {
    /// Of so many at a time.
    pub(super) fn new(at_once: usize) -> Turns {
        let (known, others) = (Round::default(), Round::default());
        Turns(Arc::new(Mutex::new(Waiting { free: at_once, known, others, was_known: false })))
    }

    /// Waits for one's turn.
    ///
    /// # Errors
    /// `Crowded`, at once or when there are others who have waited for less.
    pub(super) async fn turn(&self, line: Line) -> Result<Turn, Crowded> {
        let wait = {
            let mut waiting = self.0.lock();
            if waiting.free > 0 {
                waiting.free -= 1;
                return Ok(Turn(Some(self.clone())));
            }
            let round = if line.user.is_some() { &mut waiting.known } else { &mut waiting.others };
            round.join(line)?
        };
        wait.await.map_err(|_| Crowded)
    }

    fn pass_on(&self) {
        let mut turn = Turn(Some(self.clone()));
        loop {
            let next = {
                let mut waiting = self.0.lock();
                let next = waiting.next();
                if next.is_none() {
                    waiting.free += 1;
                }
                next
            };
            let Some(next) = next else {
                turn.0 = None;
                return;
            };
            match next.send(turn) {
                Ok(()) => return,
                Err(unwanted) => turn = unwanted,
            }
        }
    }
}

impl Waiting {
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let known_first = !self.was_known;
        let (first, second) = match known_first {
            true => (&mut self.known, &mut self.others),
            false => (&mut self.others, &mut self.known),
        };
        let (next, is_first) = match first.next() {
            Some(next) => (next, true),
            None => (second.next()?, false),
        };
        self.was_known = known_first == is_first;
        Some(next)
    }
}

impl Round {
    fn join(&mut self, line: Line) -> Result<oneshot::Receiver<Turn>, Crowded> {
        if self.len >= MOST_IN_ROUND || self.lines.get(&line).is_some_and(|line| line.len() >= MOST_IN_LINE) {
            self.forget_gone();
        }
        let own = self.lines.get(&line).map_or(0, VecDeque::len);
        if own >= MOST_IN_LINE {
            return Err(Crowded);
        }
        if self.len >= MOST_IN_ROUND {
            let longest = self.lines.values_mut().max_by_key(|line| line.len()).filter(|line| line.len() > own + 1);
            // It is the last of them who has to go.
            longest.and_then(VecDeque::pop_back).ok_or(Crowded)?;
            self.len -= 1;
        }
        let (turn, wait) = oneshot::channel();
        let waiting = self.lines.entry(line).or_default();
        if waiting.is_empty() {
            self.order.push_back(line);
        }
        waiting.push_back(turn);
        self.len += 1;
        Ok(wait)
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let line = self.order.pop_front()?;
        let waiting = self.lines.get_mut(&line)?;
        let next = waiting.pop_front()?;
        self.len -= 1;
        match waiting.is_empty() {
            true => drop(self.lines.remove(&line)),
            false => self.order.push_back(line),
        }
        Some(next)
    }

    fn forget_gone(&mut self) {
        for waiting in self.lines.values_mut() {
            waiting.retain(|turn| !turn.is_closed());
        }
        self.lines.retain(|_, waiting| !waiting.is_empty());
        let lines = &self.lines;
        self.order.retain(|line| lines.contains_key(line));
        self.len = self.lines.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Wait<'a> = Pin<Box<dyn Future<Output = Result<Turn, Crowded>> + 'a>>;

    fn at(network: u32, user: Option<u64>) -> Line {
        Line { network: Some(IpAddr::from(network.to_be_bytes())), user }
    }

    fn poll(wait: &mut Wait<'_>) -> Option<Result<Turn, Crowded>> {
        match wait.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// Somebody who waits.
    fn waits(turns: &Turns, line: Line) -> Wait<'_> {
        let mut wait: Wait<'_> = Box::pin(turns.turn(line));
        match poll(&mut wait) {
            None => wait,
            Some(outcome) => Box::pin(ready(outcome)),
        }
    }

    /// Lets all who wait have their turn, and says in which order they did.
    fn order(turn: Turn, mut waiting: Vec<Wait<'_>>) -> Vec<usize> {
        let (mut turn, mut order, mut left) = (Some(turn), Vec::new(), (0..waiting.len()).collect::<Vec<_>>());
        while turn.take().is_some() {
            let mut next = None;
            left.retain(|&i| match poll(&mut waiting[i]) {
                Some(outcome) => {
                    order.push(i);
                    next = Some(outcome.unwrap());
                    false
                }
                None => true,
            });
            turn = next;
        }
        assert_eq!(left, Vec::<usize>::new());
        order
    }

    #[tokio::test]
    async fn whoever_comes_from_elsewhere_is_served_before_the_rest_of_those_who_came_first() {
        let turns = Turns::new(1);
        let turn = turns.turn(at(0, None)).await.unwrap();
        let lines = [at(1, None), at(1, None), at(1, None), at(2, None), at(1, None), at(3, None)];
        let waiting = lines.into_iter().map(|line| waits(&turns, line)).collect();
        assert_eq!(order(turn, waiting), [0, 3, 5, 1, 2, 4]);
        assert_eq!(turns.0.lock().free, 1);
    }

    #[tokio::test]
    async fn who_is_known_has_every_second_turn() {
        let turns = Turns::new(1);
        let turn = turns.turn(at(0, None)).await.unwrap();
        let mut waiting: Vec<_> = (0..4).map(|network| waits(&turns, at(network, None))).collect();
        // Of two who are known in one place one does not wait for all that the other one wants.
        waiting.extend([7, 7, 7, 8].map(|user| waits(&turns, at(1, Some(user)))));
        assert_eq!(order(turn, waiting), [4, 0, 7, 1, 5, 2, 6, 3]);
    }

    #[tokio::test]
    async fn who_is_gone_takes_no_turn_and_no_room() {
        let turns = Turns::new(1);
        let turn = turns.turn(at(0, None)).await.unwrap();
        let gone: Vec<_> = (0..MOST_IN_LINE).map(|_| waits(&turns, at(1, None))).collect();
        assert_eq!(turns.turn(at(1, None)).await.unwrap_err(), Crowded);
        drop(gone);
        let mut waiting: Vec<_> = (0..3).map(|_| waits(&turns, at(1, None))).collect();
        drop(waiting.remove(1));
        // Given a turn, and gone before he took it.
        drop(turn);
        drop(waiting.remove(0));
        let turn = poll(&mut waiting[0]).unwrap().unwrap();
        drop(turn);
        let Waiting { free, others, .. } = &*turns.0.lock();
        assert_eq!((*free, others.len, others.lines.len(), others.order.len()), (1, 0, 0, 0));
    }

    #[tokio::test]
    async fn where_there_is_no_room_the_longest_line_gets_shorter() {
        let turns = Turns::new(1);
        let _turn = turns.turn(at(0, None)).await.unwrap();
        let networks = MOST_IN_ROUND / MOST_IN_LINE;
        let mut waiting: Vec<_> =
            (0..MOST_IN_ROUND).map(|i| waits(&turns, at(u32::try_from(i % networks).unwrap(), None))).collect();
        let mut newcomers: Vec<_> = (1000..1010).map(|network| waits(&turns, at(network, None))).collect();
        assert!(newcomers.iter_mut().all(|wait| poll(wait).is_none()));
        let sent_away = waiting.iter_mut().filter_map(poll).filter(|outcome| *outcome.as_ref().unwrap_err() == Crowded);
        assert_eq!(sent_away.count(), 10);
        assert_eq!(turns.0.lock().others.len, MOST_IN_ROUND);
        // Where each has only one, nobody makes room.
        let turns = Turns::new(0);
        let waiting: Vec<_> = (0..1024).map(|network| waits(&turns, at(network, None))).collect();
        assert_eq!(turns.turn(at(5000, None)).await.unwrap_err(), Crowded);
        assert!(poll(&mut waits(&turns, at(5000, Some(1)))).is_none(), "the others have a round of their own");
        drop(waiting);
    }
}
