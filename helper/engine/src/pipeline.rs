//! Work that several threads take in turn and one finishes in order: bounded, without busy waiting, and drained when its
//! feeder goes.
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

/// Jobs that may wait before and behind each worker.
const DEPTH: usize = 4;

/// Takes jobs, the first one first. When it is dropped the threads finish what they have, and end.
pub struct Feeder<A> {
    lanes: Vec<SyncSender<A>>,
    next: usize,
    flying: Arc<AtomicUsize>,
}

impl<A> Feeder<A> {
    /// Waits while there is no room. False: a thread has panicked, and the scope will tell.
    pub fn push(&mut self, job: A) -> bool {
        self.flying.fetch_add(1, SeqCst);
        let lane = self.next;
        self.next = (lane + 1) % self.lanes.len();
        self.lanes[lane].send(job).is_ok()
    }

    /// Whether all that was pushed is finished.
    pub fn is_idle(&self) -> bool {
        self.flying.load(SeqCst) == 0
    }
}

/// Starts `workers` threads that `work`, in any order, and one that calls `finish` in the order of the jobs. `names`: of the
/// one kind, with a number behind it, and of the other.
pub fn start<'scope, A: Send + 'scope, B: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    names: (&str, &str),
    workers: usize,
    work: impl Fn(A) -> B + Copy + Send + 'scope,
    mut finish: impl FnMut(B) + Send + 'scope,
) -> io::Result<Feeder<A>> {
    let flying = Arc::new(AtomicUsize::new(0));
    let (mut lanes, mut ends): (Vec<SyncSender<A>>, Vec<Receiver<B>>) = (Vec::new(), Vec::new());
    for number in 0..workers.max(1) {
        let (lane, jobs) = sync_channel::<A>(DEPTH);
        let (results, end) = sync_channel::<B>(DEPTH);
        Builder::new().name(format!("{}-{number}", names.0)).spawn_scoped(scope, move || {
            // Ends when the feeder has gone, or whoever finishes has.
            while jobs.recv().is_ok_and(|job| results.send(work(job)).is_ok()) {}
        })?;
        lanes.push(lane);
        ends.push(end);
    }
    let finished = Arc::clone(&flying);
    Builder::new().name(names.1.to_owned()).spawn_scoped(scope, move || {
        for end in ends.iter().cycle() {
            let Ok(result) = end.recv() else { break };
            finish(result);
            finished.fetch_sub(1, SeqCst);
        }
    })?;
    Ok(Feeder { lanes, next: 0, flying })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn run(workers: usize, jobs: usize, work: impl Fn(usize) -> usize + Copy + Send) -> Vec<usize> {
        let mut done = Vec::new();
        std::thread::scope(|scope| {
            let mut feeder = start(scope, ("work", "finish"), workers, work, |job| done.push(job)).unwrap();
            for job in 0..jobs {
                assert!(feeder.push(job));
            }
        });
        done
    }

    #[test]
    fn jobs_are_finished_in_order_and_all_of_them() {
        for workers in 1..5 {
            let slow = |job: usize| {
                // The first of each few takes longest.
                (0..(7 - job % 7) * 2000).for_each(|n| _ = std::hint::black_box(n));
                job
            };
            assert_eq!(run(workers, 500, slow), (0..500).collect::<Vec<_>>());
        }
    }

    #[test]
    fn workers_work_at_the_same_time() {
        // With fewer than three at once this would never end.
        let together = Barrier::new(3);
        let work = |job| {
            together.wait();
            job
        };
        assert_eq!(run(3, 9, work), (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn what_has_been_pushed_is_finished_before_it_is_idle() {
        std::thread::scope(|scope| {
            let (tell, told) = std::sync::mpsc::channel();
            let mut feeder =
                start(scope, ("work", "finish"), 2, |job| job, move |job: u8| tell.send(job).unwrap()).unwrap();
            assert!(feeder.is_idle());
            (0..4).for_each(|job| assert!(feeder.push(job)));
            assert_eq!((0..4).map(|_| told.recv().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
            while !feeder.is_idle() {
                std::thread::yield_now();
            }
        });
    }

    #[test]
    fn a_panic_ends_it_and_is_told() {
        let outcome = std::panic::catch_unwind(|| run(2, 100, |job| if job == 5 { panic!("as wished") } else { job }));
        assert!(outcome.is_err());
    }
}
