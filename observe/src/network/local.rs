//! A local replica inside this program.

use anyhow::{Context, Result};
use local_replica::owner::Handle;
use local_replica::{Config, Replica, http};
use tokio::net::TcpListener;

/// Starts it on a free port, and returns its URL. It ends with the runtime.
pub async fn start() -> Result<String> {
    let owner = Handle::start(Replica::new(Config::default()))
        .context("the local replica can't be started")?;
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("the local replica can't listen")?;
    let address = listener.local_addr()?;
    tokio::spawn(http::serve(listener, http::router(owner)));
    Ok(format!("http://{address}"))
}
