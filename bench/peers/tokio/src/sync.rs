//! What ours/tasks does with locks, events and queues.

use crate::ROUNDS;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::{mpsc, Mutex, Notify, Semaphore};
use tokio::task::{spawn, yield_now};

/// Runs what make makes as so many tasks and waits for them.
pub async fn beside<F: Future<Output = ()> + Send + 'static>(tasks: usize, make: impl Fn() -> F) {
    let tasks: Vec<_> = (0..tasks).map(|_| spawn(make())).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

pub async fn lock(tasks: usize) {
    let mu = Arc::new(Mutex::new(()));
    beside(tasks, || {
        let mu = mu.clone();
        async move {
            for _ in 0..ROUNDS / tasks {
                let guard = mu.lock().await;
                yield_now().await;
                drop(guard);
                yield_now().await;
            }
        }
    })
    .await;
}

pub async fn lock_uncontended() {
    let mu = Mutex::new(());
    for _ in 0..ROUNDS {
        drop(mu.lock().await);
    }
}

pub async fn semaphore(tasks: usize) {
    let room = Arc::new(Semaphore::new((tasks / 10).max(1)));
    beside(tasks, || {
        let room = room.clone();
        async move {
            for _ in 0..ROUNDS / tasks {
                let permit = room.acquire().await.unwrap();
                yield_now().await;
                drop(permit);
                yield_now().await;
            }
        }
    })
    .await;
}

pub async fn semaphore_uncontended() {
    let room = Semaphore::new(1);
    for _ in 0..ROUNDS {
        drop(room.acquire().await.unwrap());
    }
}

/// Lets two tasks wake each other in turn; what has been waited for is cleared.
pub async fn event() {
    let (ping, pong) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let partner = spawn({
        let (ping, pong) = (ping.clone(), pong.clone());
        async move {
            for _ in 0..ROUNDS / 2 {
                ping.notified().await;
                pong.notify_one();
            }
        }
    });
    for _ in 0..ROUNDS / 2 {
        ping.notify_one();
        pong.notified().await;
    }
    partner.await.unwrap();
}

pub async fn event_uncontended() {
    let flag = Notify::new();
    for _ in 0..ROUNDS {
        flag.notify_one();
        flag.notified().await;
    }
}

pub async fn queue() {
    let (ping, mut ping_out) = mpsc::channel(1);
    let (pong, mut pong_out) = mpsc::channel(1);
    let partner = spawn(async move {
        while let Some(v) = ping_out.recv().await {
            pong.send(v).await.unwrap();
        }
    });
    for i in 0..ROUNDS / 2 {
        ping.send(i).await.unwrap();
        pong_out.recv().await.unwrap();
    }
    drop(ping);
    partner.await.unwrap();
}

pub async fn queue_uncontended() {
    let (queue, mut out) = mpsc::channel(1);
    for i in 0..ROUNDS {
        queue.send(i).await.unwrap();
        out.recv().await.unwrap();
    }
}
