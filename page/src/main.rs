//! Puts the page together, as a folder that any web server can serve, and serves it on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use replica::site;

/// The page on which you deliver the messages, in a browser alone.
#[derive(Parser)]
struct Arguments {
    /// The folder to put the page in; it is made anew.
    folder: PathBuf,
    /// Where cargo has put what it built.
    #[arg(long, default_value = "target")]
    target: PathBuf,
    /// The port to serve it at; 0 takes any that is free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Only make the folder.
    #[arg(long)]
    build: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    site::make(&root, &arguments.target, &arguments.folder)?;
    if arguments.build {
        return Ok(());
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("can't serve at {address}"))?;
        println!("Open http://localhost:{}/", listener.local_addr()?.port());
        axum::serve(listener, site::router(&arguments.folder)?).await?;
        Ok(())
    })
}
