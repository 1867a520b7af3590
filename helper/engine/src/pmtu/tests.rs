//! The search against a simulated path: time is a number, loss and delay come from the test's own generator.
use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);
const LIMITS: Limits = Limits { control: 112, ceiling: 1500, raise: Duration::from_secs(60) };

/// What a path does to probes; loss in thousandths, each way together.
#[derive(Clone, Copy, Debug)]
struct Path {
    mtu: u16,
    rtt: Duration,
    jitter: Duration,
    loss: u64,
    dead: bool,
}

impl Path {
    fn new(mtu: u16, rtt_ms: u32) -> Self {
        Self { mtu, rtt: MS * rtt_ms, jitter: Duration::ZERO, loss: 0, dead: false }
    }
}

struct World {
    search: Search,
    path: Path,
    now: Instant,
    /// Bytes of traffic each millisecond.
    rate: u64,
    traffic: u64,
    answers: Vec<(Instant, u64)>,
    chance: u64,
    probes: usize,
    bytes: usize,
}

impl World {
    fn new(path: Path, seed: u64) -> Self {
        let now = Instant::now();
        let search = Search::new(LIMITS, Some(path.rtt), 7 << 60, now);
        let chance = seed.wrapping_mul(2).wrapping_add(1);
        Self { search, path, now, rate: 100, traffic: 0, answers: vec![], chance, probes: 0, bytes: 0 }
    }

    fn draw(&mut self, below: u64) -> u64 {
        // xorshift64*
        self.chance ^= self.chance >> 12;
        self.chance ^= self.chance << 25;
        self.chance ^= self.chance >> 27;
        (self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below.max(1)
    }

    fn step(&mut self) {
        self.now += MS;
        self.traffic += self.rate;
        let (due, later) = self.answers.drain(..).partition(|(at, _)| *at <= self.now);
        self.answers = later;
        let due: Vec<(Instant, u64)> = due;
        due.iter().for_each(|(at, token)| self.search.answer(*token, *at));
        let sent = self.search.poll(self.now, self.traffic);
        assert!(sent.windows(2).all(|pair| pair[0].size >= pair[1].size), "the largest goes first");
        for probe in sent {
            self.probes += 1;
            self.bytes += usize::from(probe.size);
            let fits = probe.size <= self.path.mtu && !self.path.dead;
            if fits && self.draw(1000) >= self.path.loss {
                let late = self.draw(self.path.jitter.as_micros() as u64 + 1);
                self.answers.push((self.now + self.path.rtt + Duration::from_micros(late), probe.token));
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// Time until it is found.
    fn until(&mut self, mtu: u16, within: Duration) -> Duration {
        let begin = self.now;
        while self.search.found() != Some(mtu) {
            self.step();
            assert!(self.now - begin < within, "{mtu} not found within {within:?}: {:?}", self.search);
        }
        self.now - begin
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_size_is_found_exactly_and_soon(mtu in 576u16..=1500, rtt in 0u32..200) {
        let mut world = World::new(Path::new(mtu, rtt), 1);
        world.until(mtu, MS * (6 * (rtt * 3 / 2 + 30) + 10));
        // And stays.
        world.run(Duration::from_secs(20));
        prop_assert_eq!(world.search.found(), Some(mtu));
    }

    #[test]
    fn loss_and_reordering_never_make_it_too_large_and_in_time_it_is_exact(
        mtu in 1000u16..=1500, rtt in 0u32..100, jitter in 0u64..30, loss in 0u64..100, seed: u64,
    ) {
        let path = Path { jitter: MS * jitter as u32, loss, ..Path::new(mtu, rtt) };
        let mut world = World::new(path, seed);
        for _ in 0..150_000 {
            world.step();
            prop_assert!(world.search.found().is_none_or(|found| found <= mtu));
        }
        world.path.loss = 0;
        world.until(mtu, Duration::from_secs(130));
    }

    #[test]
    fn a_shrink_under_traffic_is_found_in_time(from in 1300u16..=1500, to in 600u16..1300, rtt in 0u32..150) {
        let mut world = World::new(Path::new(from, rtt), 1);
        world.until(from, Duration::from_secs(3));
        world.path.mtu = to;
        let begin = world.now;
        while world.search.found().is_some_and(|found| found > to) {
            world.step();
            prop_assert!(world.now - begin < MS * (1100 + 4 * (rtt * 3 / 2 + 30)));
        }
        world.until(to, Duration::from_secs(3));
    }
}

#[test]
fn a_rise_is_found_by_the_timer() {
    let mut world = World::new(Path::new(1340, 20), 1);
    world.until(1340, Duration::from_secs(1));
    for larger in [1341, 1383, 1500] {
        world.path.mtu = larger;
        world.until(larger, LIMITS.raise + Duration::from_secs(2));
    }
}

#[test]
fn who_answers_nothing_is_given_up_and_asked_again_when_there_is_traffic() {
    let mut world = World::new(Path { dead: true, ..Path::new(1400, 20) }, 1);
    world.run(Duration::from_secs(5));
    assert!(world.search.is_mute());
    assert_eq!((world.search.found(), world.search.deadline()), (None, None));
    let before = world.bytes;
    world.run(Duration::from_secs(60));
    assert!(world.bytes - before < 1000, "asked with small packets only, and seldom");
    world.path.dead = false;
    world.until(1400, ASK_AGAIN + Duration::from_secs(4));
}

#[test]
fn an_idle_path_is_left_alone() {
    let mut world = World::new(Path::new(1400, 20), 1);
    world.until(1400, Duration::from_secs(1));
    world.run(Duration::from_secs(1));
    let before = world.probes;
    world.rate = 0;
    world.run(Duration::from_secs(600));
    assert_eq!(world.search.deadline(), None);
    assert!(world.probes - before < 12);
}

#[test]
fn probes_are_a_small_part_of_the_traffic() {
    let mut world = World::new(Path::new(1400, 20), 1);
    world.run(Duration::from_secs(300));
    assert!((world.bytes as u64) < world.traffic / 50, "{} of {}", world.bytes, world.traffic);
}

#[test]
fn a_path_that_is_cut_keeps_what_was_found() {
    let mut world = World::new(Path::new(1400, 20), 1);
    world.until(1400, Duration::from_secs(1));
    world.path.dead = true;
    world.run(Duration::from_secs(120));
    assert_eq!(world.search.found(), Some(1400));
    world.path = Path::new(1380, 20);
    world.until(1380, Duration::from_secs(20));
}

#[test]
fn what_the_link_refuses_is_no_loss() {
    let now = Instant::now();
    let mut search = Search::new(LIMITS, None, 0, now);
    for (found, after) in [(1400, 0), (1350, 5)] {
        let mut at = now + Duration::from_secs(after);
        for _ in 0..20 {
            for probe in search.poll(at, after * 100_000) {
                if probe.size > found { search.refuse(probe.token) } else { search.answer(probe.token, at) }
            }
            at += Duration::from_millis(30);
        }
        assert_eq!(search.found(), Some(found), "{search:?}");
    }
}

#[test]
fn where_only_small_packets_pass_nothing_is_found() {
    let mut world = World::new(Path::new(150, 20), 1);
    world.path.mtu = 112;
    world.run(Duration::from_secs(10));
    assert_eq!((world.search.found(), world.search.is_mute()), (None, true));
}

#[test]
fn tokens_of_others_and_of_the_past_are_passed_over() {
    let now = Instant::now();
    let mut search = Search::new(LIMITS, None, 100, now);
    let probes = search.poll(now, 0);
    search.answer(99, now);
    search.answer(probes[0].token + 1000, now);
    assert_eq!(search.found(), None);
    assert_eq!(search.poll(now + MS, 0), []);
}
