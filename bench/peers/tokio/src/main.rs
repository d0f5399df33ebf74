//! What ours/tasks and ours/echo do, on tokio's current-thread runtime.
//!
//! Usage: tokio-peer WHAT [N], or tokio-peer tcp|udp PORT SIZE for an echo server

mod echo;
mod groups;
mod sync;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::{spawn, yield_now};

const ROUNDS: usize = 100_000;
const YIELDS: usize = 1_000_000;
const AT_LEAST: Duration = Duration::from_millis(500); // for which a measurement is repeated

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize| args.get(i).map_or(0, |a| a.parse().expect("N is a number"));
    let (n, size) = (number(2), number(3));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // On a task of its own, as the others: what block_on polls is polled by other rules.
    let what = args[1].clone();
    runtime.block_on(async move { spawn(async move { run(&what, n, size).await }).await.unwrap() });
}

async fn run(what: &str, n: usize, size: usize) {
    match what {
        "spawn" => measure_ops(n, || spawn_all(n)).await,
        "spawn-await" => measure_ops(ROUNDS, spawn_await).await,
        "yield" => {
            let each = (YIELDS / n).max(500); // so many that starting the tasks does not count
            measure_ops(n * each, || yields(n, each)).await
        }
        "queue" => measure_ops(ROUNDS, sync::queue).await,
        "queue-uncontended" => measure_ops(ROUNDS, sync::queue_uncontended).await,
        "lock" => measure_ops(ROUNDS, || sync::lock(n.max(2))).await,
        "lock-uncontended" => measure_ops(ROUNDS, sync::lock_uncontended).await,
        "semaphore" => measure_ops(ROUNDS, || sync::semaphore(n.max(2))).await,
        "semaphore-uncontended" => measure_ops(ROUNDS, sync::semaphore_uncontended).await,
        "event" => measure_ops(ROUNDS, sync::event).await,
        "event-uncontended" => measure_ops(ROUNDS, sync::event_uncontended).await,
        "future" => measure_ops(ROUNDS, future).await,
        "gather" => measure_ops(groups_of(n) * n, || groups::gather(n, groups_of(n))).await,
        "group" => measure_ops(groups_of(n) * n, || groups::group(n, groups_of(n))).await,
        "timeout" => measure_ops(ROUNDS, groups::timeout).await,
        "timeout-yield" => measure_ops(ROUNDS, groups::timeout_yield).await,
        "cancel" => measure_timed(n, || groups::cancel_each(n)).await,
        "cancel-group" => measure_timed(n, || groups::cancel_group(n)).await,
        "sleepers" => sleepers(n).await,
        "tcp" => echo::tcp(n as u16, size).await,
        "udp" => echo::udp(n as u16, size).await,
        _ => panic!("no such measurement: {what}"),
    }
}

/// How many groups of n make up a measurement.
fn groups_of(n: usize) -> usize {
    (ROUNDS / n).max(1)
}

/// Measures f, which does n operations.
async fn measure_ops<F: Future<Output = ()>>(n: usize, mut f: impl FnMut() -> F) {
    measure_timed(n, || {
        let done = f();
        async {
            let start = Instant::now();
            done.await;
            start.elapsed()
        }
    })
    .await
}

/// Is measure_ops for an f that prepares something first and takes the time of
/// the rest itself.
async fn measure_timed<F: Future<Output = Duration>>(n: usize, mut f: impl FnMut() -> F) {
    f().await;
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < 3 || begin.elapsed() < AT_LEAST {
        times.push(f().await.as_nanos() as f64 / n as f64);
    }
    times.sort_by(f64::total_cmp);
    println!("ns {:.1}", times[times.len() / 2]);
}

async fn spawn_all(n: usize) {
    let tasks: Vec<_> = (0..n).map(|_| spawn(async {})).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn spawn_await() {
    for _ in 0..ROUNDS {
        spawn(async {}).await.unwrap();
    }
}

async fn yields(tasks: usize, each: usize) {
    let turns = move || async move {
        for _ in 0..each {
            yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| spawn(turns())).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

struct Ball {
    number: usize,
    back: oneshot::Sender<Ball>,
}

/// Hits the ball back until it has been hit ROUNDS times.
async fn play(mut ball: Ball) {
    while ball.number < ROUNDS {
        let (back, answer) = oneshot::channel();
        let number = ball.number + 1;
        ball.back.send(Ball { number, back }).ok().unwrap();
        if number >= ROUNDS {
            return;
        }
        ball = answer.await.unwrap();
    }
}

async fn future() {
    let (back, first) = oneshot::channel();
    let partner = spawn(async move { play(first.await.unwrap()).await });
    play(Ball { number: 0, back }).await;
    partner.await.unwrap();
}

async fn sleepers(n: usize) {
    let before = resident();
    let start = Instant::now();
    let asleep = Arc::new(AtomicUsize::new(0));
    for _ in 0..n {
        let asleep = asleep.clone();
        spawn(async move {
            asleep.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_secs(3600)).await
        });
    }
    while asleep.load(Relaxed) < n {
        yield_now().await;
    }
    let took = start.elapsed();
    println!("ns {:.0}", took.as_nanos() as f64 / n as f64);
    println!("rss-bytes {:.0}", (resident() - before) as f64 / n as f64);
    std::process::exit(0); // a million tasks need not be dropped one by one
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
