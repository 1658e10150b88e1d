//! What keeps one input from ending a client unseen: panics are caught and told, slow inputs end the client with a finding.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;

use crate::input::Input;
use crate::oracle::{Bench, Failure, Property, Trial};

/// Where the last panic was, and what it said.
static LAST_PANIC: Mutex<Option<(String, String)>> = Mutex::new(None);

/// Whether an input is being tried: then panics are kept, and printed otherwise.
static TRYING: AtomicBool = AtomicBool::new(false);

/// Keeps panics of what is tried instead of printing them.
pub fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| match TRYING.load(Ordering::Relaxed) {
            true => keep(panic),
            false => before(panic),
        }));
    });
}

fn keep(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |place| format!("{}:{}", place.file(), place.line()));
    let text = panic.payload().downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.payload().downcast_ref::<String>().cloned()).unwrap_or_default();
    // The first of several is the cause of the others.
    LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((place, text));
}

/// Tries an input; a panic is a failure. [`keep_panics`] has to have been called for its words to be known.
pub fn try_input(bench: &Bench, input: &Input) -> Trial {
    drop(LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take());
    TRYING.store(true, Ordering::Relaxed);
    let tried = panic::catch_unwind(AssertUnwindSafe(|| bench.try_input(input)));
    TRYING.store(false, Ordering::Relaxed);
    match tried {
        Ok(trial) => trial,
        Err(_) => {
            let last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (place, text) = last.unwrap_or_default();
            let (subject, message) = (format!("{} {place}", input.generator()), format!("{text} at {place}"));
            Trial::Fails(Failure { property: Property::Panic, subject, message })
        }
    }
}

/// How often is looked at how long an input takes.
const PERIOD: Duration = Duration::from_millis(100);

/// By how much the clock may run ahead of the processor time: on a loaded machine it does, and what waits for something
/// that never comes takes no processor time at all.
const CLOCK_TIMES: u32 = 10;

/// When an input began.
#[derive(Clone, Copy)]
struct Began {
    processor: ProcessTime,
    clock: Instant,
}

impl Began {
    fn now() -> Self {
        Self { processor: ProcessTime::now(), clock: Instant::now() }
    }

    fn overdue(self, limit: Duration) -> Option<String> {
        overdue(self.processor.elapsed(), self.clock.elapsed(), limit)
    }
}

/// What is said of an input that took this process so much processor time, and so much time on the clock.
fn overdue(processor: Duration, clock: Duration, limit: Duration) -> Option<String> {
    let most = limit.saturating_mul(CLOCK_TIMES);
    match (processor > limit, clock > most) {
        (true, _) => Some(format!("it took more than {limit:?} of processor time")),
        (false, true) => {
            Some(format!("it did not end within {most:?}, in which it took less than {limit:?} of processor time"))
        }
        (false, false) => None,
    }
}

/// The failure of an input that takes too long.
pub fn slow(input: &Input, message: String) -> Failure {
    Failure { property: Property::Slow, subject: input.generator().to_owned(), message }
}

/// The failure of an input whose process ended.
pub fn aborted(input: &Input, how: &str) -> Failure {
    let (subject, message) = (input.generator().to_owned(), format!("the client ended: {how}"));
    Failure { property: Property::Abort, subject, message }
}

/// Tries an input, and gives up when it takes too long or `stop` is set. What was given up runs on until the process ends.
pub fn try_within(bench: &Bench, input: &Input, limit: Duration, stop: &AtomicBool) -> Trial {
    /// That of a main thread, on which clients try theirs.
    const STACK: usize = 8 << 20;
    let (say, hear) = channel();
    let (own_bench, own_input) = (bench.clone(), input.clone());
    let began = Began::now();
    let trying = move || drop(say.send(try_input(&own_bench, &own_input)));
    if let Err(reason) = std::thread::Builder::new().stack_size(STACK).spawn(trying) {
        return Trial::Skipped(format!("no thread can be started: {reason}").into());
    }
    loop {
        if let Some(message) = began.overdue(limit) {
            return Trial::Fails(slow(input, message));
        }
        if stop.load(Ordering::Relaxed) {
            return Trial::Skipped("it was stopped".into());
        }
        match hear.recv_timeout(PERIOD) {
            Ok(trial) => return trial,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Trial::Skipped("its thread ended without a word".into()),
        }
    }
}

/// What is being executed, and since when.
type Running = Option<(Began, Vec<u8>)>;

/// Looks at how long an input takes.
#[derive(Clone, Default)]
pub struct Watchdog(Arc<(Mutex<Running>, Condvar)>);

impl Watchdog {
    /// An input begins.
    pub fn begin(&self, bytes: &[u8]) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Began::now(), bytes.to_vec()));
    }

    /// It has ended.
    pub fn end(&self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Looks from a thread of its own, for as long as the process lives; calls `slow` once for an input that takes longer,
    /// with what is said of it.
    pub fn start(&self, limit: Duration, slow: impl FnOnce(Vec<u8>, String) + Send + 'static) {
        let shared = Arc::clone(&self.0);
        std::thread::spawn(move || {
            let (running, never) = &*shared;
            let mut now = running.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(message) = now.as_ref().and_then(|(began, _)| began.overdue(limit)) {
                    let bytes = now.take().map(|(_, bytes)| bytes).unwrap_or_default();
                    drop(now);
                    return slow(bytes, message);
                }
                now = never.wait_timeout(now, PERIOD).unwrap_or_else(PoisonError::into_inner).0;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::input::Kernel;
    use crate::input::kernel::{Statement, Word};

    #[test]
    fn a_panic_is_a_failure_with_its_words_and_its_place() {
        keep_panics();
        // A variable that no invocation has.
        let body = vec![Statement::Word(9, Word::Local)];
        let (plant, input, schedule) = (None, [0; 16], (0, 1));
        let kernel = Kernel { groups: 1, size: 2, subgroup_size: 4, body, plant, input, schedule };
        let Trial::Fails(failure) = try_input(&Bench::default(), &Input::Kernel(kernel)) else { panic!("it holds") };
        assert_eq!(failure.property, Property::Panic);
        assert!(failure.subject.starts_with("kernels ") && failure.subject.contains("meaning.rs"), "{failure:?}");
        assert!(failure.message.contains("index out of bounds"), "{failure:?}");
    }

    #[test]
    fn an_input_that_takes_longer_is_told_of_and_one_that_has_ended_is_not() {
        let watchdog = Watchdog::default();
        watchdog.begin(b"ended");
        watchdog.end();
        watchdog.begin(b"slow");
        let (said, heard) = channel();
        watchdog.start(Duration::ZERO, move |bytes, _| drop(said.send(bytes)));
        assert_eq!(heard.recv().as_deref(), Ok(b"slow".as_slice()));
    }

    #[test]
    fn processor_time_is_what_counts_and_the_clock_only_for_what_hangs() {
        let (second, limit) = (Duration::from_secs, Duration::from_secs(30));
        assert_eq!(overdue(second(29), second(299), limit), None, "a loaded machine");
        let computes = overdue(second(31), second(40), limit).unwrap();
        assert!(computes.contains("more than 30s of processor time"), "{computes}");
        let hangs = overdue(second(1), second(301), limit).unwrap();
        assert!(hangs.contains("did not end within 300s"), "{hangs}");
    }

    #[test]
    fn what_is_tried_within_a_limit_ends_in_time_or_is_slow() {
        keep_panics();
        let (input, stop) = (Input::Kernel(holds()), AtomicBool::new(false));
        assert_eq!(try_within(&Bench::default(), &input, Duration::from_secs(3600), &stop), Trial::Holds);
        let Trial::Fails(failure) = try_within(&Bench::default(), &input, Duration::ZERO, &stop) else {
            panic!("nothing ends within no time")
        };
        assert_eq!(failure.signature(), "slow kernels");
        stop.store(true, Ordering::Relaxed);
        let stopped = try_within(&Bench::default(), &input, Duration::from_secs(3600), &stop);
        assert_eq!(stopped, Trial::Skipped("it was stopped".into()));
    }

    fn holds() -> Kernel {
        let body = vec![Statement::Word(0, Word::Local)];
        Kernel { groups: 1, size: 2, subgroup_size: 4, body, plant: None, input: [0; 16], schedule: (1, 1) }
    }
}
