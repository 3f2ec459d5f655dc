//! A platform that runs: what all of them have in common.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use tokio::task::AbortHandle;

/// What a platform's handlers and the test share.
pub type Shared<F> = Arc<Mutex<F>>;

/// A running platform; it stops when it is dropped.
pub struct Platform<F> {
    /// Its address, without a path.
    pub url: String,
    facts: Shared<F>,
    task: AbortHandle,
}

impl<F> Drop for Platform<F> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<F: Send + 'static> Platform<F> {
    /// One that knows these facts and answers so.
    pub async fn serve(facts: F, router: Router<Shared<F>>) -> Self {
        let facts = Arc::new(Mutex::new(facts));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = router.with_state(Arc::clone(&facts));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") }).abort_handle();
        Self { url, facts, task }
    }

    pub fn facts(&self) -> MutexGuard<'_, F> {
        self.facts.lock().expect("not poisoned")
    }
}
