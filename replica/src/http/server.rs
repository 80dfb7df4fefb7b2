//! Connections: how many, and how long they may take.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// How many connections are served at the same time; more have to wait.
const MAX_CONNECTIONS: usize = 4096;

/// How long a client may take to send the head of a request, and so how long a connection may be
/// idle. It is longer than clients keep idle connections (90 seconds in the agent's), so that they
/// end them: a request that crosses the server's end of a connection is lost.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// How long a connection may last.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// How long its last request may take then.
const LAST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves connections until the task is dropped.
pub async fn serve(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                wait_after(&error).await;
                continue;
            }
        };
        // A client that only sends small pieces must not wait for an acknowledgement each time.
        let _unsupported = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = pin!(connection);
            // A connection that breaks is the client's loss alone.
            let ended = timeout(CONNECTION_TIMEOUT, connection.as_mut()).await;
            if ended.is_err() {
                // The request that is being answered is the last.
                connection.as_mut().graceful_shutdown();
                let _broken = timeout(LAST_REQUEST_TIMEOUT, connection).await;
            }
            drop(place);
        });
    }
}

/// After an error that will not pass by itself (no file handle is free, say), gives others time.
async fn wait_after(error: &io::Error) {
    let passes = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    );
    if !passes {
        sleep(Duration::from_millis(100)).await;
    }
}
