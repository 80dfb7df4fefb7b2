//! The options of the program that say how much canisters may do and send.

use clap::Args;
use local_replica::limits::Limits;

/// One option for each limit.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitOptions {
    /// The instructions of an update, a callback or a system task. The network's limit is 40
    /// billion, which takes minutes here
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().message_instructions)]
    message_instructions: u64,

    /// The instructions of a query, with everything that a composite query calls
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().query_instructions)]
    query_instructions: u64,

    /// The instructions of an installation or upgrade. The network's limit is 300 billion
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().install_instructions)]
    install_instructions: u64,

    /// The instructions of canister_inspect_message
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().inspect_instructions)]
    inspect_instructions: u64,

    /// The Wasm memory of a canister with 32-bit addresses
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().wasm_memory)]
    wasm_memory: u64,

    /// The Wasm memory of a canister with 64-bit addresses
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().wasm_memory64)]
    wasm_memory64: u64,

    /// The stable memory of a canister
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().stable_memory)]
    stable_memory: u64,

    /// The argument of a call by a user; at most 4 MiB
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = Limits::default().ingress_size,
        value_parser = ingress_size
    )]
    ingress_size: usize,

    /// The argument of a call between canisters
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().call_size)]
    call_size: usize,

    /// The answer to a call
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().response_size)]
    response_size: usize,

    /// The answer to a query
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().query_response_size)]
    query_response_size: usize,

    /// The open calls from one canister to another
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().queue_capacity)]
    queue_capacity: usize,

    /// The messages that wait to be delivered, of all canisters together
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().waiting_size)]
    waiting_size: u64,

    /// The memory that all canisters may have in use together
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().memory_capacity)]
    memory_capacity: u64,
}

/// A size for the arguments of users' calls that fits into what the server reads of a request.
fn ingress_size(text: &str) -> Result<usize, String> {
    const MAX: usize = 4 * 1024 * 1024;
    match text.parse() {
        Ok(bytes) if bytes <= MAX => Ok(bytes),
        Ok(_) => Err(format!("it can be at most {MAX}")),
        Err(error) => Err(format!("{error}")),
    }
}

impl LimitOptions {
    /// The limits that the options say.
    pub fn limits(&self) -> Limits {
        let LimitOptions {
            message_instructions,
            query_instructions,
            install_instructions,
            inspect_instructions,
            wasm_memory,
            wasm_memory64,
            stable_memory,
            ingress_size,
            call_size,
            response_size,
            query_response_size,
            queue_capacity,
            waiting_size,
            memory_capacity,
        } = *self;
        Limits {
            message_instructions,
            query_instructions,
            install_instructions,
            inspect_instructions,
            wasm_memory,
            wasm_memory64,
            stable_memory,
            ingress_size,
            call_size,
            response_size,
            query_response_size,
            queue_capacity,
            waiting_size,
            memory_capacity,
        }
    }
}
