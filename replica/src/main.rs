//! The program `local-replica`: the local replica as a network of its own, or as the one that `icp
//! network start` launches.

mod command;
mod launcher;
mod options;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use local_replica::http::Access;
use local_replica::owner::Handle;
use local_replica::state_folder::StateFolder;
use local_replica::{Config, Replica, http, system_canisters};
use options::LimitOptions;
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

    /// A domain under which the replica is reached too, beside localhost; may be given several times
    #[arg(long = "domain", value_name = "DOMAIN", value_parser = domain)]
    domains: Vec<String>,

    /// What requests to the controls must carry: `authorization: Bearer <TOKEN>`. With another --bind
    /// than the default, one is made up and printed if none is given
    #[arg(long, value_parser = token)]
    token: Option<String>,

    /// A folder that keeps the state, so that it survives a restart. Without it everything is
    /// forgotten
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,

    /// Compact the state whenever its journals have so many bytes, however large it is
    #[arg(long, hide = true, value_name = "BYTES")]
    compact_after: Option<u64>,

    /// Where to write status.json when the replica is ready
    #[arg(long, hide = true)]
    status_dir: Option<PathBuf>,

    /// The version of the launcher interface that `icp` speaks
    #[arg(long, hide = true)]
    interface_version: Option<String>,

    #[command(flatten)]
    limits: LimitOptions,
}

fn main() -> ExitCode {
    let told = match launcher::understood(std::env::args().collect()) {
        Ok(told) => told,
        Err(error) => return fail(&error),
    };
    for warning in told.warnings {
        eprintln!("warning: {warning}");
    }
    let arguments = Arguments::parse_from(told.arguments);
    if let Some(command) = &arguments.command {
        return command::run(command).unwrap_or_else(|error| fail(&error));
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// A domain as the name that a browser sends.
fn domain(text: &str) -> Result<String, String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.[:]".contains(c);
    match !text.is_empty() && text.chars().all(is_part) {
        true => Ok(text.to_lowercase()),
        false => Err("a domain is a name like my-app.localhost".to_owned()),
    }
}

/// A token as a header can carry it.
fn token(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("a token has letters, digits and signs, and no spaces".to_owned()),
    }
}

/// A token that nobody can guess.
fn new_token() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("can't make up a token: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn fail(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

/// Serves until the program is told to stop.
fn run(arguments: &Arguments) -> Result<(), String> {
    let config = Config {
        limits: arguments.limits.limits(),
        ..Config::default()
    };
    let mut replica = Replica::new(config.clone());
    system_canisters::add_to(&mut replica);
    let root_key = replica.root_key().to_vec();
    let access = access(arguments)?;
    let (owner, memory) = match &arguments.state_dir {
        Some(folder) => {
            let mut folder = StateFolder::open(folder, &config)?;
            if let Some(bytes) = arguments.compact_after {
                folder.compact_after(bytes);
            }
            resume(replica, folder)?
        }
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
    let ended = runtime.block_on(async {
        let address = SocketAddr::new(arguments.bind, arguments.port);
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!("can't listen at {address}: {error}; choose another with --bind and --port")
        })?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let router = http::router_with(owner.clone(), access.clone());
        let server = tokio::spawn(http::serve(listener, router));
        let token = access.token.filter(|_| arguments.token.is_none());
        let token = token.map(|token| format!("The controls need this token: {token}\n"));
        let token = token.unwrap_or_default();
        match &arguments.status_dir {
            Some(folder) => {
                launcher::report(folder, address.port(), &root_key)?;
                say(&token);
            }
            None => greet(address, &memory, &token),
        }
        let ended = tokio::select! {
            // The handler lives as long as the program, so this waits for a signal.
            _signal = stopped => Ok(()),
            error = owner.failed() => Err(error),
        };
        server.abort();
        ended
    });
    // A query that loops is not waited for.
    runtime.shutdown_background();
    ended
}

/// Who may use the controls, and under which names the replica is reached.
fn access(arguments: &Arguments) -> Result<Access, String> {
    let token = match &arguments.token {
        None if !arguments.bind.is_loopback() => Some(new_token()?),
        given => given.clone(),
    };
    Ok(Access {
        domains: arguments.domains.clone(),
        names: arguments.status_dir.as_deref().map(launcher::names),
        token,
    })
}

/// Starts with the state that a folder keeps. Returns also what there is to say about it.
fn resume(replica: Replica, folder: StateFolder) -> Result<(Handle, String), String> {
    let path = folder.path().to_owned();
    let (owner, resumed) = Handle::resume(replica, folder)?;
    let path = path.display();
    if resumed.cut > 0 {
        eprintln!(
            "warning: the journal in {path} ended in the middle of a record; its last {} bytes were \
             cut off",
            resumed.cut
        );
    }
    let (messages, seconds) = (resumed.messages, resumed.duration.as_secs_f64());
    let memory = format!(
        "Its state is kept in {path}; {messages} messages were replayed in {seconds:.2} s."
    );
    Ok((owner, memory))
}

fn greet(address: SocketAddr, memory: &str, token: &str) {
    let text = format!(
        "The local replica listens at http://{address}. Stop it with Ctrl-C.\n\
         {memory}\n\
         {token}\
         \n\
         With dfx:  dfx deploy --network http://{address} --no-wallet\n\
         With icp:  ICP_CLI_NETWORK_LAUNCHER_PATH=<this program> icp network start -d\n\
         In a browser:  http://<canister id>.localhost:{port}/ or \
         http://{address}/?canisterId=<canister id>\n",
        port = address.port(),
    );
    say(&text);
}

fn say(text: &str) {
    // Nobody may be reading.
    let _unread = std::io::stdout().write_all(text.as_bytes());
}
