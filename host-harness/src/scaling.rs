//! For tests: whether time grows as the input does.

use std::hint::black_box;

/// How many times as long the larger input is.
const LONGER: usize = 16;

/// Checks that `work` on an input of `16 * size` does not take much longer than
/// 16 times what it takes on one of `size`. Quadratic work takes 256 times as long.
///
/// It is no bound on time, which a busy machine would break: what counts is the
/// processor time of this thread, the best of several runs.
///
/// # Panics
/// Time grows faster than the input.
pub(crate) fn assert_linear<T, R>(size: usize, input: impl Fn(usize) -> T, work: impl Fn(&T) -> R) {
    let best = |input: &T| {
        let runs = (0..5).map(|_| {
            let before = nanoseconds();
            black_box(work(black_box(input)));
            nanoseconds() - before
        });
        // What is too short to be measured counts as a microsecond.
        runs.min().unwrap_or(0).max(1000)
    };
    let (short, long) = (best(&input(size)), best(&input(LONGER * size)));
    let grown = long / short;
    assert!(grown < 80, "{LONGER} times the input takes {grown} times as long: {short}, {long} ns");
}

/// What this thread has spent on a processor.
fn nanoseconds() -> u64 {
    // First of all the time spent on the processor, see proc(5), which is brought
    // up to date when the thread yields; other systems have to do with what the
    // clock on the wall says.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    spent.unwrap_or_else(|| {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let passed = START.get_or_init(std::time::Instant::now).elapsed();
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    })
}

#[test]
#[should_panic(expected = "times as long")]
fn quadratic_work_is_noticed() {
    let input = |size| vec![1_u8; size];
    assert_linear(500, input, |input| {
        input.iter().map(|one| input.iter().filter(|other| *other == one).count()).sum::<usize>()
    });
}
