//! The program itself, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use ic_agent::Agent;
use ic_agent::identity::AnonymousIdentity;

/// The program, which is ended when this is dropped.
pub struct Program {
    pub child: Child,
    pub address: SocketAddr,
}

impl Program {
    /// Starts it with these options, at a port that is free.
    pub fn start(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_local-replica"))
            .args(["--port", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let (_, after) = line.split_once("http://").unwrap();
        let end = after.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
        let address = after[..end.unwrap()].trim_end_matches('.').parse().unwrap();
        Program { child, address }
    }
}

impl Program {
    /// An agent of nobody in particular.
    pub async fn agent(&self) -> Agent {
        let agent = Agent::builder()
            .with_url(format!("http://{}", self.address))
            .with_identity(AnonymousIdentity)
            .build()
            .unwrap();
        agent.fetch_root_key().await.unwrap();
        agent
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
