//! [`Times`]: how far the latest attempt of a call got, and when.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a call reaches, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The address of the server, or of its proxy, is known.
    Resolved,
    /// There is a connection to the server.
    Connected,
    /// It is encrypted.
    TlsDone,
    /// The request has been sent.
    Sent,
    /// The headers of the response have arrived.
    Headers,
    /// The first chunk is there for the program.
    FirstChunk,
    /// The session is over.
    Ended,
}

/// When a call reached what, since it was opened. Its transport writes it, and any thread may
/// read it.
pub(crate) struct Times {
    opened: Instant,
    reached: Mutex<Reached>,
}

/// What was reached by now, and when.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reached {
    at: [Option<Duration>; Stage::Ended as usize + 1],
    /// The longest time between two arrivals of data of the response's body.
    pub(crate) longest_gap: Option<Duration>,
    /// The request at hand counts: it is not for a file that comes in addition.
    counts: bool,
    /// A connection was made for the request at hand.
    has_dialled: bool,
}

impl Times {
    pub(crate) fn new(opened: Instant) -> Times {
        Times { opened, reached: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reached(&self) -> Reached {
        *self.lock()
    }

    /// A further attempt: it has reached nothing yet.
    pub(crate) fn restart(&self) {
        *self.lock() = Reached::default();
    }

    /// A request is about to be sent. If it `counts`, what was reached by the one before it is
    /// forgotten; otherwise it reaches nothing.
    pub(crate) fn asking(&self, counts: bool) {
        let mut reached = self.lock();
        reached.counts = counts;
        if counts {
            reached.forget_request();
        }
    }

    /// A connection is being made for the request at hand.
    pub(crate) fn dialling(&self) {
        let mut reached = self.lock();
        if reached.counts {
            reached.forget_request();
            reached.has_dialled = true;
        }
    }

    /// `stage` is reached now.
    pub(crate) fn reach(&self, stage: Stage) {
        self.reach_at(stage, Instant::now());
    }

    /// `stage` was reached at `time`.
    pub(crate) fn reach_at(&self, stage: Stage, time: Instant) {
        let mut reached = self.lock();
        if reached.counts || matches!(stage, Stage::FirstChunk | Stage::Ended) {
            if let Some(at) = reached.at.get_mut(stage as usize) {
                *at = Some(time.saturating_duration_since(self.opened));
            }
        }
    }

    /// Nothing arrived for `gap`, and then something did. The longest one counts.
    pub(crate) fn gap(&self, gap: Duration) {
        let mut reached = self.lock();
        reached.longest_gap = reached.longest_gap.max(Some(gap));
    }
}

impl Reached {
    fn forget_request(&mut self) {
        for stage in
            [Stage::Resolved, Stage::Connected, Stage::TlsDone, Stage::Sent, Stage::Headers]
        {
            if let Some(at) = self.at.get_mut(stage as usize) {
                *at = None;
            }
        }
        self.has_dialled = false;
    }

    /// When `stage` was reached, since the call was opened.
    pub(crate) fn at(&self, stage: Stage) -> Option<Duration> {
        self.at.get(stage as usize).copied().flatten()
    }

    /// The request went over a connection that was there before it.
    pub(crate) fn reused_connection(&self) -> bool {
        !self.has_dialled && self.at(Stage::Sent).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Stage; 7] = [
        Stage::Resolved,
        Stage::Connected,
        Stage::TlsDone,
        Stage::Sent,
        Stage::Headers,
        Stage::FirstChunk,
        Stage::Ended,
    ];

    #[test]
    fn request_forgets_what_the_one_before_it_reached_and_an_attempt_forgets_all() {
        let times = Times::new(Instant::now());
        let known = || ALL.map(|stage| times.reached().at(stage).is_some());
        times.asking(true);
        times.dialling();
        ALL.iter().for_each(|stage| times.reach(*stage));
        times.gap(Duration::from_secs(2));
        times.gap(Duration::from_secs(1));
        assert_eq!(known(), [true; 7]);
        assert!(!times.reached().reused_connection());
        assert_eq!(times.reached().longest_gap, Some(Duration::from_secs(2)));
        times.asking(true);
        assert_eq!(known(), [false, false, false, false, false, true, true]);
        times.reach(Stage::Sent);
        assert!(times.reached().reused_connection());
        // The server had closed that connection: the request goes over a new one.
        times.dialling();
        assert_eq!(known(), [false, false, false, false, false, true, true]);
        times.reach(Stage::Sent);
        assert!(!times.reached().reused_connection());
        times.restart();
        assert_eq!(known(), [false; 7]);
        assert_eq!(times.reached().longest_gap, None);
    }

    #[test]
    fn request_for_a_file_reaches_nothing() {
        let times = Times::new(Instant::now());
        times.asking(true);
        times.reach(Stage::Sent);
        let sent = times.reached().at(Stage::Sent);
        times.asking(false);
        times.dialling();
        ALL.iter().take(5).for_each(|stage| times.reach(*stage));
        let reached = times.reached();
        assert_eq!((reached.at(Stage::Sent), reached.at(Stage::Connected)), (sent, None));
        assert!(reached.reused_connection());
    }
}
