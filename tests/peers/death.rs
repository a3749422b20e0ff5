//! Servers that die in the middle of a storm.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// Calls `kill` whenever `done` has come to one of `counts`. It is given back at the end, because it may hold the server.
pub fn at<K: FnMut() + Send + 'static>(counts: [usize; 3], done: Arc<AtomicUsize>, mut kill: K) -> JoinHandle<K> {
    thread::spawn(move || {
        for count in counts {
            while done.load(Ordering::Relaxed) < count {
                thread::sleep(LOOK);
            }
            kill();
        }
        kill
    })
}
