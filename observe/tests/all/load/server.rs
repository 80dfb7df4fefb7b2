//! The program `local-replica`, running.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::project;

/// A network in a process of its own, until it is dropped.
pub struct Server {
    process: Child,
    url: String,
}

impl Server {
    pub fn start() -> Self {
        let target = project().join("target");
        let status = Command::new(env!("CARGO"))
            .current_dir(project())
            .args(["build", "--locked", "--quiet", "-p", "local-replica"])
            .arg("--target-dir")
            .arg(&target)
            .status()
            .expect("cargo starts");
        assert!(status.success(), "the local replica can't be built");
        let mut process = Command::new(target.join("debug/local-replica"))
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the local replica starts");
        let stdout = process.stdout.take().expect("stdout is a pipe");
        let mut greeting = String::new();
        BufReader::new(stdout).read_line(&mut greeting).unwrap();
        let url = greeting
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap_or_else(|| panic!("there is no address in: {greeting}"));
        let url = url.trim_end_matches('.').to_owned();
        Server { process, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The most memory that the process had resident so far, in MiB. Only Linux tells.
    pub fn peak_memory(&self) -> Option<u64> {
        if !cfg!(target_os = "linux") {
            println!("memory is not measured here: only Linux tells");
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("Linux tells the peak of the memory");
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        Some(kib / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}
