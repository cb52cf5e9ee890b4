//! `spanseal hold` and `spanseal retention extend`: what operators order about the locks of what is sealed.

use clap::{ArgGroup, Args, Subcommand};

use super::values::{parse_by, parse_decree, parse_from, parse_ground, parse_id, parse_kind, parse_ticket, parse_to, parse_until};
use super::{ClientArgs, KeyArgs, TableOrJson};
use crate::clock::{UnixNanos, UnixSeconds};
use crate::retain::Period;

/// Which records. All conditions given must hold.
#[derive(Clone, Debug, Default, Args)]
pub struct SelectArgs {
    /// Trace id, 32 hexadecimal digits
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub trace_id: Option<String>,
    /// Record id, 32 hexadecimal digits
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub record_id: Option<String>,
    /// Who used the system (actor.user_id)
    #[arg(long, value_name = "PERSON")]
    pub user: Option<String>,
    /// Whom the decision is about (subject.id)
    #[arg(long, value_name = "PERSON")]
    pub subject: Option<String>,
    /// Anybody a record names: user, subject, reviewer, who changed or approved
    #[arg(long, value_name = "PERSON")]
    pub person: Option<String>,
    /// Session or conversation
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Model, as requested or as answered; also provider/model
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Kind of record, such as inference, tool, review; `decision` takes every record that states a decision (has a decision group), whatever its kind
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    pub kind: Option<String>,
    /// Decision id
    #[arg(long, value_name = "ID")]
    pub decision: Option<String>,
    /// Hash of a prompt or of its template
    #[arg(long, value_name = "HASH")]
    pub prompt_hash: Option<String>,
    /// Not before: a date or a time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_from)]
    pub from: Option<UnixNanos>,
    /// Not after: a date (the whole day) or a time
    #[arg(long, value_name = "TIME", value_parser = parse_to)]
    pub to: Option<UnixNanos>,
    /// Take --user, --subject and --person as the ids that the application sent, also where one begins with `ps:` or `id:`
    #[arg(long)]
    pub as_sent: bool,
    /// Realm of the persons asked for (by default those that the evidence itself names); may be repeated
    #[arg(long, value_name = "REALM")]
    pub realm: Vec<String>,
}

/// Who orders it and why, and how it is done.
#[derive(Clone, Debug, Args)]
pub struct OrderArgs {
    /// Why, in words that name nobody; stands in the record
    #[arg(long, visible_alias = "ground", value_name = "TEXT", value_parser = parse_ground)]
    pub reason: String,
    /// The order, request or file that it answers; stands in the record
    #[arg(long, value_name = "TEXT", value_parser = parse_ticket)]
    pub ticket: Option<String>,
    /// Who orders it; recorded as persons are
    #[arg(long, value_name = "PERSON", value_parser = parse_by)]
    pub by: Option<String>,
    /// Where no `serve` answers, open the log in a bucket even if its newest seal promises another: only when its `serve` is dead for sure
    /// (see `spanseal erase --help`)
    #[arg(long)]
    pub offline: bool,
    /// How a running `serve` is reached.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Keys to trust.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: TableOrJson,
}

/// `spanseal hold`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal hold place --matter LH-2026-014 --reason 'litigation, file 12 O 34/26' --user alice@example.com\n  \
    spanseal hold list\n  spanseal hold release --matter LH-2026-014 --reason 'settled'"
)]
pub struct HoldArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: HoldCommand,
}

/// What `spanseal hold` can do.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Keep every segment that holds a matching record from being deleted, those sealed later too, until it is released
    Place(Box<PlaceArgs>),
    /// End a hold, and lift it from what no other hold keeps
    Release(Box<ReleaseArgs>),
    /// Show the holds that are open
    List(HoldListArgs),
}

/// `spanseal hold place`.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("which").args(["all", "resume", "trace_id", "record_id", "user", "subject", "person", "session", "model", "kind", "decision",
        "prompt_hash", "from", "to"]).multiple(true).required(true)),
    after_help = "Examples:\n  spanseal hold place --matter LH-2026-014 --reason 'litigation, file 12 O 34/26' --user alice@example.com --dry-run\n  \
    spanseal hold place --matter LH-2026-015 --reason 'supervisory request' --model gpt-4o --from 2026-10-01 --to 2026-10-31\n  \
    spanseal hold place --matter LH-2026-014 --reason 'went on after a crash' --resume\n\n\
    It is recorded first, by the running `serve` or, where none runs, by this process; then the objects are held with the credentials of this \
    process: first a segment's seal and the tiles, cosignatures and time stamps that join it to what others have seen, then the segment. While \
    it is open `serve` holds what it seals later. A person is recorded by pseudonym. A hold is on whole segments, with others' records in them.\n\
    What was said in the records that it means, and in their traces, stays in the vault too: it does not expire, and `spanseal erase` takes it only \
    with --despite-hold.\n\
    Exit codes: 0 held (or shown), also where nothing matches yet; 1 nobody is known who is meant; 2 not all could be held or searched: go on \
    with --resume, which also puts the hold back where somebody took it off; 130 interrupted (Ctrl-C): it says where it stands and what goes on."
)]
pub struct PlaceArgs {
    /// Name of the matter: 1 to 64 letters, digits, `.`, `_` and `-`
    #[arg(long, value_name = "ID", value_parser = parse_decree)]
    pub matter: String,
    /// Which records.
    #[command(flatten)]
    pub select: SelectArgs,
    /// All records, whatever they say
    #[arg(long, conflicts_with_all = ["resume", "trace_id", "record_id", "user", "subject", "person", "session", "model", "kind", "decision",
        "prompt_hash", "from", "to"])]
    pub all: bool,
    /// Go on with a matter that is open, with the query that it has
    #[arg(long, conflicts_with_all = ["trace_id", "record_id", "user", "subject", "person", "session", "model", "kind", "decision", "prompt_hash",
        "from", "to"])]
    pub resume: bool,
    /// Only say what would be held
    #[arg(long)]
    pub dry_run: bool,
    /// Who and why.
    #[command(flatten)]
    pub order: OrderArgs,
}

/// `spanseal hold release`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal hold release --matter LH-2026-014 --reason 'settled' --ticket 'letter of 2026-11-20'\n\n\
    It is recorded first; then the legal hold is lifted from every segment that no other hold keeps, and from what joined those to the \
    checkpoints of others, where no held segment needs it. Locks and their dates stay as they are. Done again it finishes what was interrupted.\n\
    Exit codes: 0 released, 1 no such matter, 2 not all could be lifted: do it again; 130 interrupted (Ctrl-C): do it again.")]
pub struct ReleaseArgs {
    /// Name of the matter
    #[arg(long, value_name = "ID", value_parser = parse_decree)]
    pub matter: String,
    /// Only say what would be let go
    #[arg(long)]
    pub dry_run: bool,
    /// Who and why.
    #[command(flatten)]
    pub order: OrderArgs,
}

/// `spanseal hold list`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal hold list --config spanseal.yaml\n  spanseal hold list --format json | jq '.holds[].matter'\n\n\
    Shows the holds that are open, extensions that are not carried out to their end, and released holds whose objects still have it.\n\
    Exit codes: 0 shown, 2 could not read them all."
)]
pub struct HoldListArgs {
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: TableOrJson,
    /// Keys to trust.
    #[command(flatten)]
    pub keys: KeyArgs,
}

/// `spanseal retention extend`.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("which").args(["all", "resume", "trace_id", "record_id", "user", "subject", "person", "session", "model", "kind", "decision",
        "prompt_hash", "from", "to"]).multiple(true).required(true)),
    group(ArgGroup::new("how_long").args(["until", "for_period", "resume"]).required(true)),
    after_help = "Examples:\n  spanseal retention extend --model gpt-4o --from 2026-10-01 --to 2026-10-31 --for 2y --reason 'audit of the supplier' --dry-run\n  \
    spanseal retention extend --user alice@example.com --until 2030-12-31 --reason 'claim' --yes\n  \
    spanseal retention extend --resume ext-20261121-1a2b3c4d --reason 'went on after a crash' --yes\n\n\
    Locks only become longer and stronger: what has more already stays so. First a segment's seal and the tiles, cosignatures and time stamps \
    that join it to what others have seen are extended, then the segment. It is for what is sealed now; for later records use a policy.\n\
    Exit codes: 0 extended (or shown), 1 nothing matches, 2 not all could be extended or searched: go on with --resume; \
    130 interrupted (Ctrl-C): it says where it stands and what goes on. --resume of one that came to its end looks whether its own records are kept \
    as long."
)]
pub struct ExtendArgs {
    /// Which records.
    #[command(flatten)]
    pub select: SelectArgs,
    /// All records, whatever they say
    #[arg(long, conflicts_with_all = ["resume", "trace_id", "record_id", "user", "subject", "person", "session", "model", "kind", "decision",
        "prompt_hash", "from", "to"])]
    pub all: bool,
    /// Until when at least: a date (its end) or a time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    pub until: Option<UnixSeconds>,
    /// How long from now at least, as in 90d or 2y
    #[arg(long = "for", id = "for_period", value_name = "PERIOD", conflicts_with = "until")]
    pub for_period: Option<Period>,
    /// COMPLIANCE also locks what is in GOVERNANCE so that nobody can lift it, where the store allows that without the governance bypass;
    /// without it every object keeps its mode
    #[arg(long, value_name = "MODE", value_parser = ["COMPLIANCE"])]
    pub mode: Option<String>,
    /// Go on with an extension of this name that was not carried out to its end
    #[arg(long, value_name = "ID", value_parser = parse_decree, conflicts_with_all = ["until", "for_period", "mode", "trace_id", "record_id", "user",
        "subject", "person", "session", "model", "kind", "decision", "prompt_hash", "from", "to"])]
    pub resume: Option<String>,
    /// With --resume: end it where it stands, and say so in the log; what was extended stays so
    #[arg(long, requires = "resume", conflicts_with = "dry_run")]
    pub give_up: bool,
    /// Only say what would be extended
    #[arg(long, conflicts_with = "resume")]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Who and why.
    #[command(flatten)]
    pub order: OrderArgs,
}

impl SelectArgs {
    /// Whether the time asked for ends before it begins.
    pub fn is_backwards(&self) -> bool {
        self.from.zip(self.to).is_some_and(|(from, to)| from > to)
    }
}
