//! The program `local-replica`: the local replica as a network of its own, or as the one that `icp
//! network start` launches.

mod command;
mod launcher;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use local_replica::journal::Recovery;
use local_replica::owner::Handle;
use local_replica::{Config, Replica, http, system_canisters};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A local replica of the Internet Computer, for learning and testing.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<command::Command>,

    /// The address to listen at. With any other than the default, others can reach the replica
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,

    /// The port to listen at; 0 chooses a free one
    #[arg(long, alias = "gateway-port", default_value_t = 4943)]
    port: u16,

    /// A folder that keeps the state, so that it survives a restart. Without it everything is
    /// forgotten
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,

    /// Where to write status.json when the replica is ready
    #[arg(long, hide = true)]
    status_dir: Option<PathBuf>,

    /// The version of the launcher interface that `icp` speaks
    #[arg(long, hide = true)]
    interface_version: Option<String>,
}

fn main() -> ExitCode {
    let arguments = match launcher::understood(std::env::args().collect()) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&error),
    };
    let arguments = Arguments::parse_from(arguments);
    if let Some(command) = &arguments.command {
        return command::run(command).unwrap_or_else(|error| fail(&error));
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

/// Serves until the program is told to stop.
fn run(arguments: &Arguments) -> Result<(), String> {
    let config = Config::default();
    let mut replica = Replica::new(config.clone());
    system_canisters::add_to(&mut replica);
    let root_key = replica.root_key().to_vec();
    let (owner, memory) = match &arguments.state_dir {
        Some(folder) => resume(replica, Recovery::open(folder, &config)?)?,
        None => {
            let owner = Handle::start(replica).map_err(|error| format!("can't start: {error}"))?;
            (owner, "It forgets everything when it stops.".to_owned())
        }
    };

    let (stop, stopped) = oneshot::channel();
    let mut stop = Some(stop);
    ctrlc::set_handler(move || {
        // A second signal finds the program stopping already.
        let _told = stop.take().map(|stop| stop.send(()));
    })
    .map_err(|error| format!("can't listen for signals: {error}"))?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("can't start: {error}"))?;
    runtime.block_on(async {
        let address = SocketAddr::new(arguments.bind, arguments.port);
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!("can't listen at {address}: {error}; choose another with --bind and --port")
        })?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let server = tokio::spawn(http::serve(listener, http::router(owner.clone())));
        match &arguments.status_dir {
            Some(folder) => launcher::report(folder, address.port(), &root_key)?,
            None => greet(address, &memory),
        }
        let ended = tokio::select! {
            // The handler lives as long as the program, so this waits for a signal.
            _signal = stopped => Ok(()),
            error = owner.failed() => Err(error),
        };
        server.abort();
        ended
    })
}

/// Starts with the state that a journal leads to. Returns also what there is to say about it.
fn resume(replica: Replica, journal: Recovery) -> Result<(Handle, String), String> {
    let path = journal.path().to_owned();
    let (owner, resumed) = Handle::resume(replica, journal)?;
    let path = path.display();
    if resumed.cut > 0 {
        eprintln!(
            "warning: {path} ended in the middle of a record; its last {} bytes were cut off",
            resumed.cut
        );
    }
    let (messages, seconds) = (resumed.messages, resumed.duration.as_secs_f64());
    let memory = format!(
        "Its state is kept in {path}; {messages} messages were replayed in {seconds:.2} s."
    );
    Ok((owner, memory))
}

fn greet(address: SocketAddr, memory: &str) {
    let text = format!(
        "The local replica listens at http://{address}. Stop it with Ctrl-C.\n\
         {memory}\n\
         \n\
         With dfx:  dfx deploy --network http://{address} --no-wallet\n\
         With icp:  ICP_CLI_NETWORK_LAUNCHER_PATH=<this program> icp network start -d\n"
    );
    // Nobody may be reading.
    let _unread = std::io::stdout().write_all(text.as_bytes());
}
