//! What the commands take.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use local_replica::explore::BuiltIn;
use local_replica::exploring::wire::{Case, When};
use local_replica::exploring::words::{self, Resolve};

/// What can be asked of a local replica that runs.
#[derive(Subcommand)]
pub enum Command {
    /// Find what can come of calls that are made at the same time, whatever the order of messages
    ///
    /// The local replica forks its state for that: nothing is really called. A call is a canister, by
    /// name or id, a method, and the argument in Candid: 'canister1 withdraw (0, 80)'. It is the
    /// anonymous user's; 'user 2: canister1 withdraw (0, 80)' is that of one of as many users as you
    /// like, by number, and 'user <principal>: …' that of somebody in particular. A property is a
    /// query, a sign (=, !=, <=, >=, <, >) and a value: 'canister2 paid (0) <= 100'.
    ///
    /// The exit status is 0 if everything holds, 1 if something does not, and 2 if it could not be run.
    Explore(Box<Explore>),

    /// Follow a schedule that explore has found, from the state that the network is in now
    ///
    /// The exit status is 0 if what the schedule says must hold does at its end, 1 if not, and 2 if it
    /// could not be followed.
    Replay(Replay),
}

/// Which network to ask.
#[derive(Args)]
pub struct Where {
    /// The local replica to ask; without it, the one that icp has started for the project in this folder, or else the one at port 8000 or 4943 of this machine
    #[arg(long, value_name = "URL")]
    pub network: Option<String>,

    /// The token that its controls need, if they do
    #[arg(long)]
    pub token: Option<String>,
}

/// What `explore` takes.
#[derive(Args)]
pub struct Explore {
    #[command(flatten)]
    pub case: Words,

    /// Explore the cases in this file: one a line, in the words of these options; # begins a remark,
    /// and \ at its end continues a line
    #[arg(long = "case", value_name = "FILE", conflicts_with = "together")]
    pub case_file: Option<PathBuf>,

    /// Print the reports as JSON, one a line, for machines
    #[arg(long)]
    pub json: bool,

    /// Print a sequence diagram in Mermaid instead: of each property that fails, or else of each
    /// outcome; of several, a Markdown page
    #[arg(long, conflicts_with = "json")]
    pub mermaid: bool,

    /// Write the schedule of the first property that fails to this file, for `replay`
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    #[command(flatten)]
    pub at: Where,
}

/// What `replay` takes.
#[derive(Args)]
pub struct Replay {
    /// The schedule
    pub file: PathBuf,

    /// Print what happened as JSON, for machines
    #[arg(long)]
    pub json: bool,

    /// Print a sequence diagram in Mermaid instead
    #[arg(long, conflicts_with = "json")]
    pub mermaid: bool,

    #[command(flatten)]
    pub at: Where,
}

/// A case, in words.
#[derive(Args)]
pub struct Words {
    /// A call; all calls are made at the same time
    #[arg(long, value_name = "CALL")]
    pub together: Vec<String>,

    /// A query whose answer is shown, and tells one outcome from another
    #[arg(long, value_name = "CALL")]
    show: Vec<String>,

    /// What must hold at first and after each message
    #[arg(long, value_name = "PROPERTY")]
    always: Vec<String>,

    /// What must hold at the end of each order
    #[arg(long, value_name = "PROPERTY")]
    at_end: Vec<String>,

    /// What must hold at the end of some order
    #[arg(long, value_name = "PROPERTY")]
    sometimes: Vec<String>,

    /// Every call must be answered
    #[arg(long)]
    all_answered: bool,

    /// No message may trap, but those that a fault makes trap
    #[arg(long)]
    no_traps: bool,

    /// No cycles may get lost with an answer that comes too late
    #[arg(long)]
    cycles_conserved: bool,

    /// What may go wrong: trap, reject, lose, stop, upgrade, late
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    faults: Vec<String>,

    /// How often something may go wrong in one order; 1 if nothing is said
    #[arg(long, value_name = "NUMBER", requires = "faults")]
    max_faults: Option<usize>,

    /// How often one order waits for the clock at most; 3 if nothing is said
    #[arg(long, value_name = "NUMBER")]
    max_waits: Option<usize>,

    /// How many steps one order has at most; 500 if nothing is said
    #[arg(long, value_name = "NUMBER")]
    max_steps: Option<usize>,

    /// How many messages are delivered at most, in all orders; a million if nothing is said
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,

    /// How many orders are drawn at random if the limit is reached; 1000 if nothing is said
    #[arg(long, value_name = "NUMBER")]
    random: Option<u64>,

    /// With the same seed, the same orders are drawn; 1 if nothing is said
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// A line of a file with cases.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[command(flatten)]
    case: Words,
}

impl Words {
    /// The case.
    ///
    /// # Errors
    ///
    /// In one line, what is wrong with it.
    pub fn read(&self, resolve: &mut Resolve<'_>) -> Result<Case, String> {
        let built_in = [
            (self.all_answered, BuiltIn::AllAnswered),
            (self.no_traps, BuiltIn::NoTraps),
            (self.cycles_conserved, BuiltIn::CyclesConserved),
        ];
        let wanted = built_in.into_iter().filter(|(wanted, _)| *wanted);
        let mut case = Case {
            built_in: wanted.map(|(_, property)| property.to_string()).collect(),
            faults: self.faults.iter().map(|f| f.trim().to_owned()).collect(),
            max_faults: self.max_faults,
            max_waits: self.max_waits,
            max_steps: self.max_steps,
            limit: self.limit,
            random: self.random,
            seed: self.seed,
            ..Case::default()
        };
        for together in &self.together {
            case.together.push(words::call(together, resolve)?);
        }
        for show in &self.show {
            case.show.push(words::call(show, resolve)?);
        }
        let properties = [
            (When::Always, &self.always),
            (When::AtEnd, &self.at_end),
            (When::Sometimes, &self.sometimes),
        ];
        for (when, texts) in properties {
            for text in texts {
                let property = words::property(text, when, resolve)?;
                case.properties.push(property);
            }
        }
        Ok(case)
    }
}

/// The cases in a text, one a line, each with the number of its line.
///
/// # Errors
///
/// In one line, with its number, what is wrong with a line.
pub fn cases(text: &str) -> Result<Vec<(usize, Words)>, String> {
    let mut cases = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let number = number + 1;
        let mut whole = line.trim().to_owned();
        while let Some(begun) = whole.strip_suffix('\\') {
            let next = lines.next().map_or("", |(_, line)| line.trim());
            whole = format!("{begun}{next}");
        }
        let wrong = |why: &str| format!("line {number}: {why}");
        let words = shlex::split(&whole).ok_or_else(|| wrong("a quote is not closed"))?;
        if words.is_empty() {
            continue;
        }
        let line = Line::try_parse_from(words).map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            wrong(first.strip_prefix("error: ").unwrap_or(first))
        })?;
        cases.push((number, line.case));
    }
    match cases.is_empty() {
        true => Err("it has no case".to_owned()),
        false => Ok(cases),
    }
}
