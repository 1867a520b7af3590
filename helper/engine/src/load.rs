//! When a direction gets threads of its own for the cipher, and when it gives them back: by how busy the thread is that
//! begins it. No I/O, no clock.
use std::time::{Duration, Instant};

/// So long a thread is watched before it is judged.
const WINDOW: Duration = Duration::from_millis(100);
/// Windows in a row that must say the same, to add threads and to give them up.
const UP: u32 = 2;
const DOWN: u32 = 10;

/// How many threads run the cipher of a direction when it is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stages {
    /// None while the thread keeps up, then as many as the machine is good for; on fewer than four cores never any.
    Auto,
    /// Always so many; 0: none.
    Fixed(usize),
}

/// Watches one thread.
pub struct Load {
    stages: Stages,
    cores: usize,
    workers: usize,
    since: Instant,
    waited: Duration,
    agree: u32,
}

impl Load {
    pub fn new(stages: Stages, cores: usize, now: Instant) -> Self {
        let workers = if let Stages::Fixed(workers) = stages { workers } else { 0 };
        Self { stages, cores, workers, since: now, waited: Duration::ZERO, agree: 0 }
    }

    /// How many there should be now.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// The thread has waited so long for something to do.
    pub fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    /// To be called with each batch. True when `workers` has changed.
    pub fn look(&mut self, now: Instant) -> bool {
        let window = now.saturating_duration_since(self.since);
        if self.stages != Stages::Auto || window < WINDOW {
            return false;
        }
        let idle = self.waited.as_secs_f64() / window.as_secs_f64();
        (self.since, self.waited) = (now, Duration::ZERO);
        let (wanted, patience) = match self.workers {
            // A thread that hardly waits is what limits the rate.
            0 if idle < 0.1 => (most(self.cores), UP),
            // Relieved of the cipher it waits more; but alone it could do the rest as well.
            workers if workers > 0 && idle > 0.7 => (0, DOWN),
            workers => (workers, 0),
        };
        self.agree = if wanted == self.workers { 0 } else { self.agree + 1 };
        if wanted == self.workers || self.agree < patience {
            return false;
        }
        (self.workers, self.agree) = (wanted, 0);
        true
    }
}

/// Both directions, the other end's program and the kernel want cores as well.
fn most(cores: usize) -> usize {
    match cores {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of workers after each window, in which the thread waits so many percent of the time.
    fn run(load: &mut Load, now: &mut Instant, waits: &[u32]) -> Vec<usize> {
        let window = |percent: &u32| {
            load.waited(WINDOW * *percent / 100);
            *now += WINDOW;
            load.look(*now);
            load.workers()
        };
        waits.iter().map(window).collect()
    }

    #[test]
    fn a_busy_thread_gets_help_and_a_calm_one_gives_it_back() {
        let mut now = Instant::now();
        let mut load = Load::new(Stages::Auto, 16, now);
        assert_eq!(run(&mut load, &mut now, &[0, 50, 5, 20, 0, 0, 0]), [0, 0, 0, 0, 0, 2, 2]);
        assert_eq!(run(&mut load, &mut now, &[90; 9]), [2; 9]);
        assert_eq!(run(&mut load, &mut now, &[60, 90]), [2, 2]);
        assert_eq!(run(&mut load, &mut now, &[90; 10])[8..], [0, 0]);
    }

    #[test]
    fn few_cores_have_no_room_for_stages() {
        for (cores, workers) in [(1, 0), (2, 0), (3, 0), (4, 1), (7, 1), (8, 2), (64, 2)] {
            let mut now = Instant::now();
            let mut load = Load::new(Stages::Auto, cores, now);
            assert_eq!(run(&mut load, &mut now, &[0; 5]).last(), Some(&workers));
        }
    }

    #[test]
    fn what_is_fixed_stays() {
        let mut now = Instant::now();
        for workers in [0, 3] {
            let mut load = Load::new(Stages::Fixed(workers), 16, now);
            assert_eq!(run(&mut load, &mut now, &[0, 0, 0, 99, 99]), [workers; 5]);
        }
    }

    #[test]
    fn a_thread_that_slept_long_isnt_taken_for_a_busy_one() {
        let mut now = Instant::now();
        let mut load = Load::new(Stages::Auto, 16, now);
        for _ in 0..5 {
            load.waited(WINDOW * 50);
            now += WINDOW * 50;
            assert!(!load.look(now));
        }
    }
}
