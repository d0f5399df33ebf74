//! What ours/tasks does with groups, timeouts and cancellation.

use crate::ROUNDS;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{spawn, yield_now, JoinSet};
use tokio::time;

const SECOND: Duration = Duration::from_secs(1);

/// Collects the results of n tasks in order.
pub async fn gather(n: usize, groups: usize) {
    for _ in 0..groups {
        let tasks: Vec<_> = (0..n).map(|_| spawn(async { 1 })).collect();
        let mut results = Vec::with_capacity(n);
        for task in tasks {
            results.push(task.await.unwrap());
        }
        assert_eq!(results.iter().sum::<usize>(), n);
    }
}

pub async fn group(n: usize, groups: usize) {
    for _ in 0..groups {
        let mut set = JoinSet::new();
        for _ in 0..n {
            set.spawn(async {});
        }
        while let Some(result) = set.join_next().await {
            result.unwrap();
        }
    }
}

pub async fn timeout() {
    for _ in 0..ROUNDS {
        time::timeout(SECOND, async {}).await.unwrap();
    }
}

pub async fn timeout_yield() {
    for _ in 0..ROUNDS {
        time::timeout(SECOND, yield_now()).await.unwrap();
    }
}

/// Returns how long it takes to cancel n tasks that wait, one by one, and to
/// await their end.
pub async fn cancel_each(n: usize) -> Duration {
    let waiting = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..n).map(|_| spawn(wait(waiting.clone()))).collect();
    all(n, &waiting).await;
    let start = Instant::now();
    for task in &tasks {
        task.abort();
    }
    for task in tasks {
        task.await.unwrap_err();
    }
    start.elapsed()
}

/// Is cancel_each for a group that is cancelled as a whole.
pub async fn cancel_group(n: usize) -> Duration {
    let waiting = Arc::new(AtomicUsize::new(0));
    let mut set = JoinSet::new();
    for _ in 0..n {
        set.spawn(wait(waiting.clone()));
    }
    all(n, &waiting).await;
    let start = Instant::now();
    set.shutdown().await;
    start.elapsed()
}

async fn wait(waiting: Arc<AtomicUsize>) {
    waiting.fetch_add(1, Relaxed);
    std::future::pending().await
}

async fn all(n: usize, waiting: &AtomicUsize) {
    while waiting.load(Relaxed) < n {
        yield_now().await;
    }
}
