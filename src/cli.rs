//! The command line: what can be asked, in the words of operators and auditors. What the answers are is `commands/`.
//!
//! `--config` and `--store` mean the same for every command, as do `SPANSEAL_CONFIG`, `SPANSEAL_STORE` and `SPANSEAL_VKEY` (the flag wins).
//! The environment is read in `config` alone, so it is not clap that reads it here.

mod hold;
mod values;

pub use hold::{ExtendArgs, HoldArgs, HoldCommand, HoldListArgs, OrderArgs, PlaceArgs, ReleaseArgs, SelectArgs};

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::clock::UnixNanos;
use crate::config::{Endpoint, Environment, Overrides, PrintFormat};
use crate::lint::Finding;
use crate::retain::Period;
use crate::timestamp::Roots;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::{UnverifiedCheckpoint, VerifierKey};
use crate::verify::{Bound, Receipt};
pub use values::KeptFile;
use values::{
    StoreParser, VkeyParser, WitnessParser, parse_bound_from, parse_bound_to, parse_by, parse_checkpoint, parse_decree, parse_duration,
    parse_endpoint, parse_framework, parse_from, parse_ground, parse_id, parse_kept, parse_limit, parse_receipt, parse_roots, parse_ticket,
    parse_to, parse_vkey,
};

/// Exit code of a command line that cannot be meant (`EX_USAGE` of BSD's sysexits).
pub const EXIT_USAGE: u8 = 64;

const BACKWARDS: &str = "--from is later than --to: no record can lie between them";

/// A line of a paragraph is broken by the terminal alone: by hand as well, it would be twice.
const EXIT_CODES: &str = "Exit codes: 0 done (verify, check: verified), 1 found something wrong (verify, check, doctor) or nothing (show, prove), 2 \
    could not do or check it, 64 the command line is wrong.\n\
    Machine output goes to stdout, everything else to stderr.\n\n\
    Relative paths, on the command line and in the configuration (store, key files, certificates), count from the working \
    directory; serve and doctor print where they lead.\n\n\
    Environment: SPANSEAL_CONFIG, SPANSEAL_STORE and SPANSEAL_VKEY stand in for --config, --store and --vkey; credentials for \
    s3:// stores come from AWS_* variables, web identity, container or instance; for az:// from AZURE_* variables or a managed \
    identity; for gs:// from GOOGLE_* variables or the machine's service account.\n\n\
    Stores: a folder, s3://bucket/prefix, az://account/container/prefix, gs://bucket/prefix. The last two (Azure, Google Cloud \
    Storage) were never run against the real services: tests hold their requests against the documentation, nothing more.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "spanseal",
    version,
    about = "Turns AI spans into evidence: receives OTLP, seals audit records into write-once storage, finds and proves them",
    long_about = "An OTLP receiver that turns AI spans into evidence.\n\n\
        It takes OTLP from SDKs and OpenTelemetry Collectors, promotes the spans and log events that carry AI meaning into audit records, \
        seals the records into write-once storage (S3 Object Lock, or a local folder to try it out), and lets an auditor who trusts nobody \
        find a decision, read it in plain words, and prove that nothing was changed, removed or back-dated.",
    after_help = "Start with: spanseal demo",
    after_long_help = EXIT_CODES,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Configuration file (YAML); without it the embedded default [env: SPANSEAL_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// Store to use instead of the configured one: a folder, file:///path, s3://bucket/prefix, az://account/container/prefix or gs://bucket/prefix [env: SPANSEAL_STORE]
    #[arg(long, global = true, value_name = "URL", value_parser = StoreParser, help_heading = "Everywhere")]
    pub store: Option<String>,
}

/// The commands of this version.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole story: send AI spans with real OTLP exporters, seal, find and verify them
    Demo(DemoArgs),
    /// Receive OTLP and seal it, until told to stop
    Serve(ServeArgs),
    /// Re-derive everything in a store and say what is not as it was signed
    Verify(VerifyArgs),
    /// Find sealed records
    Query(Box<QueryArgs>),
    /// Tell a decision as a story, for a reader who is no engineer
    Show(ShowArgs),
    /// Write a proof that one record is in the log, for somebody who has no access to the store
    Prove(ProveArgs),
    /// Check a proof offline: no store, no network
    Check(CheckArgs),
    /// Take a person, or what was said in a record, out of the vault; every proof still verifies
    Erase(Box<EraseArgs>),
    /// What is kept for how long: what laws say, what a configuration would do
    Retention(RetentionArgs),
    /// Place, release and list legal holds on what holds matching records
    Hold(HoldArgs),
    /// Say what telemetry would become, what is missing and for whom, and why a span is not AI; nothing is stored
    Lint(Box<LintArgs>),
    /// Make the OpenTelemetry Collector before spanseal pass what it should, and lose nothing
    Collector(CollectorArgs),
    /// Print the attributes that are understood: type, example, level, member of the record
    Attributes(AttributesArgs),
    /// Print the format of logs and proofs, every file, byte and check, for whoever writes a verifier of their own
    #[command(after_help = "Examples:\n  spanseal format | less\n  spanseal format > spanseal-format.md")]
    Format,
    /// Print a guide: from an SDK, behind a Collector, next to Langfuse and others, what sampling does to evidence
    Guide(GuideArgs),
    /// Examine configuration, keys, clock and store before they matter
    Doctor(DoctorArgs),
    /// Make the signing key of a log and the identity key of a store, or the key of a witness
    Keygen(KeygenArgs),
    /// Be a witness: remember the newest checkpoint of other people's logs and cosign only what extends it
    Witness(WitnessArgs),
}

/// `spanseal demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal demo\n  spanseal demo --stay            serves on, on free ports that it prints\n  \
    spanseal demo --store s3://demo-bucket/spanseal\n\nThe store is ./spanseal-demo, the vault ./spanseal-demo-vault, and the keys are in ./spanseal-demo-keys; all are made anew at every start.")]
pub struct DemoArgs {
    /// Keep serving after the story, until interrupted
    #[arg(long)]
    pub stay: bool,
}

/// `spanseal serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal serve                                   OTLP on 127.0.0.1:4317 and :4318, store ./spanseal-data\n  \
    spanseal serve --config /etc/spanseal.yaml\n  spanseal serve --config spanseal.yaml --print-config > effective.yaml\n  \
    SPANSEAL_STORE=s3://audit-bucket/prod spanseal serve\n\nThe first start makes the key files that are missing (back them up) and the log, only where nothing lies below its folder; later starts make neither.\nRelative paths, also those in the configuration file, count from the working directory; where they lead is printed at start.\nStops on SIGINT or SIGTERM after open requests got their receipts; a second signal stops at once, which is safe."
)]
pub struct ServeArgs {
    /// Print the effective configuration (no secrets are in it) and stop
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "yaml")]
    pub print_config: Option<PrintAs>,
}

/// Form of `--print-config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrintAs {
    /// A file to start from
    Yaml,
    /// Canonical JSON; config_change records (and so `config_sha256` of seals) add the identity key's id to it
    Json,
}

impl From<PrintAs> for PrintFormat {
    fn from(format: PrintAs) -> Self {
        match format {
            PrintAs::Yaml => PrintFormat::Yaml,
            PrintAs::Json => PrintFormat::Json,
        }
    }
}

/// The public key that an auditor brings.
#[derive(Clone, Debug, Default, Args)]
pub struct KeyArgs {
    /// The log's public key, ORIGIN+ID+KEY, or a file that holds it; one for each log; `check` takes several of one log, of which any is enough, and says which it was [env: SPANSEAL_VKEY]
    #[arg(long, value_name = "KEY", value_parser = VkeyParser)]
    pub vkey: Vec<VerifierKey>,
}

impl KeyArgs {
    /// Two different keys for what is one log in a store: there a log is found by its folder, the last part of its key's name.
    fn rivals(&self) -> Option<(&VerifierKey, &VerifierKey)> {
        let log = |key: &VerifierKey| key.name().rsplit('/').next().unwrap_or_default().to_owned();
        let after = |at: usize| self.vkey.iter().skip(at + 1);
        let mut pairs = self.vkey.iter().enumerate().flat_map(|(at, one)| after(at).map(move |other| (one, other)));
        pairs.find(|(one, other)| one != other && log(one) == log(other))
    }
}

/// The roots of time stamping authorities that an auditor brings.
#[derive(Clone, Debug, Default, Args)]
pub struct RootArgs {
    /// Root certificates (PEM) of time stamping authorities; without them time stamps count for nothing, and with them one is asked for. May be
    /// repeated
    #[arg(long, value_name = "FILE", value_parser = parse_roots)]
    pub tsa_roots: Vec<Roots>,
}

impl RootArgs {
    /// Those of all files.
    pub fn joined(&self) -> Roots {
        self.tsa_roots.iter().fold(Roots::default(), |mut all, more| {
            all.join(more.clone());
            all
        })
    }
}

/// The witnesses that an auditor trusts.
#[derive(Clone, Debug, Default, Args)]
pub struct TrustArgs {
    /// Public key of a witness, NAME+ID+KEY, or a file that holds it; may be repeated. Only what these cosigned counts as published
    #[arg(long, value_name = "KEY", value_parser = WitnessParser)]
    pub witness: Vec<WitnessKey>,
    /// How many of them must have cosigned; all of them without it
    #[arg(long, value_name = "K", requires = "witness")]
    pub quorum: Option<usize>,
}

impl TrustArgs {
    /// A log that cosigned itself would have been seen by nobody.
    fn check_apart_from(&self, logs: &[VerifierKey]) -> Result<(), String> {
        let own = self.witness.iter().find_map(|witness| logs.iter().find(|log| witness.is_of_log(log)).map(|log| (witness, log)));
        match own {
            Some((witness, log)) => {
                Err(format!("--witness: `{witness}` is the very key of the log, `{log}`, so what it says is what the log says of itself"))
            }
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<(), String> {
        let pairs = self.witness.iter().enumerate().flat_map(|(at, one)| self.witness.iter().skip(at + 1).map(move |other| (one, other)));
        for (one, other) in pairs {
            if one.is_same_key(other) {
                return Err(format!("--witness: `{one}` and `{other}` are one key, so one witness"));
            }
            if one.name() == other.name() {
                return Err(format!("--witness: `{one}` and `{other}` have one name, so nobody could tell them apart"));
            }
        }
        match self.quorum {
            Some(quorum) if !(1..=self.witness.len()).contains(&quorum) => {
                Err(format!("--quorum {quorum}: write a number from 1 to {}, as many as --witness was given", self.witness.len()))
            }
            _ => Ok(()),
        }
    }
}

/// What is shown to the API port of a running `serve`.
#[derive(Clone, Debug, Default, Args)]
pub struct ClientArgs {
    /// Client certificate (PEM) to show where `api.tls.client_ca_file` asks for one; without it the port's own is shown
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
}

/// How a reading of what the vault keeps is recorded.
#[derive(Clone, Debug, Default, Args)]
pub struct ReadingArgs {
    /// Why the vault is read, in words that name nobody; stands in the record of this reading
    #[arg(long, value_name = "TEXT", value_parser = parse_ground)]
    pub ground: Option<String>,
    /// The request that the reading answers; stands in its record
    #[arg(long, value_name = "TEXT", value_parser = parse_ticket)]
    pub ticket: Option<String>,
    /// Who reads; recorded as persons are
    #[arg(long, value_name = "PERSON")]
    pub by: Option<String>,
    /// Reveal although this reading cannot be written into the log; says so. A running `serve` still records it; without one the log is
    /// not opened
    #[arg(long)]
    pub unrecorded: bool,
    /// How a running `serve` is reached.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `spanseal verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal verify --store s3://audit-bucket/prod --vkey 'example.com/prod+1a2b3c4d+AbCd...'\n  \
    spanseal verify --config spanseal.yaml --json | jq '.verdict, .key'\n  spanseal verify --store ./spanseal-data --from 2026-11-01 --to 2026-11-20\n  \
    spanseal verify --store ./spanseal-data --since-checkpoint checkpoint.kept\n  \
    spanseal verify --store ./spanseal-data --vkey log.vkey --witness a.vkey --witness b.vkey --quorum 1\n\n\
    Bring the key yourself (--vkey): a key read from the store shows only that the store agrees with itself.\n\
    With --witness, seals that the quorum has not cosigned are told; as could not check, where one with records is older than ten minutes, or any \
    is older than two hours (of heartbeats alone witnesses are asked once an hour).\n\
    Exit codes: 0 verified, 1 findings, 2 could not check.")]
pub struct VerifyArgs {
    /// Keys to trust.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// First seal to verify: an index, a date or a time (RFC 3339)
    #[arg(long, value_name = "SEAL|TIME", value_parser = parse_bound_from)]
    pub from: Option<Bound>,
    /// Last seal to verify: an index, a date (the whole day) or a time
    #[arg(long, value_name = "SEAL|TIME", value_parser = parse_bound_to)]
    pub to: Option<Bound>,
    /// Time stamping authorities to trust.
    #[command(flatten)]
    pub tsa_roots: RootArgs,
    /// A checkpoint kept from earlier (or a proof, which holds one): show that the log extends it
    #[arg(long, value_name = "FILE", value_parser = parse_checkpoint)]
    pub since_checkpoint: Option<UnverifiedCheckpoint>,
    /// A checkpoint kept from an earlier verification: verify only what came after it, and that the log extends it
    #[arg(long, value_name = "FILE", value_parser = parse_checkpoint, conflicts_with_all = ["since_checkpoint", "from"])]
    pub resume_from: Option<UnverifiedCheckpoint>,
    /// A receipt that a sender kept, `spanseal-seal` and `spanseal-root` of an answer, as in 17:W4Jt...: show that the log still begins with that
    /// tree; may be repeated. A receipt is not signed: it shows something to who knows where it was kept
    #[arg(long, value_name = "SEAL:ROOT", value_parser = parse_receipt)]
    pub receipt: Vec<Receipt>,
    /// Witnesses to trust.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

impl VerifyArgs {
    /// Whether the range ends before it begins. An index and a time are compared by the log alone.
    fn is_backwards(&self) -> bool {
        match (self.from, self.to) {
            (Some(Bound::Seal(from)), Some(Bound::Seal(to))) => from > to,
            (Some(Bound::Time(from)), Some(Bound::Time(to))) => from > to,
            _ => false,
        }
    }
}

/// `spanseal query`. All conditions given must hold.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal query --user alice@example.com --from 2026-11-01\n  spanseal query --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 --format json\n  \
    spanseal query --kind decision --model gpt-4o --format jsonl > decisions.jsonl\n  spanseal query --record-id 0f1e... --proof --format json\n  \
    spanseal query --kind config_change                      what spanseal itself was configured to do, and what changed\n\n\
    Kinds that applications report: inference, embedding, retrieval, rerank, tool, agent, workflow, guardrail, evaluation, decision, \
    review, explanation, lineage, action, event, model_version, deployment, prompt_version, dataset_version, training, policy.\n\
    Kinds that spanseal writes itself: config_change, access, hold, erasure, retention, alert.\n\n\
    Persons are stored as pseudonyms; --user, --subject and --person find the plain, keyed and vault forms at once.\nNothing found is not an error: exit code 0."
)]
pub struct QueryArgs {
    /// Which records.
    #[command(flatten)]
    pub select: SelectArgs,
    /// At most so many records, the newest sealed first
    #[arg(long, value_name = "N", value_parser = parse_limit)]
    pub limit: Option<usize>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: QueryFormat,
    /// Add the proof of each record; only with --format json, the other forms have no room for it
    #[arg(long)]
    pub proof: bool,
    /// Add what was said, from the vault and checked against the record; only with --format json. With --proof the proofs open it too.
    /// Recorded in the log
    #[arg(long)]
    pub content: bool,
    /// How the reading is recorded.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Keys to trust.
    #[command(flatten)]
    pub keys: KeyArgs,
}

/// Form of `query`'s answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueryFormat {
    /// For a terminal
    Table,
    /// One array of {record, seal, segment, leaf_index}
    Json,
    /// The sealed lines, byte for byte
    Jsonl,
    /// For a spreadsheet
    Csv,
}

/// `spanseal show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal show 4bf92f3577b34da6a3ce929d0e0e4736\n  spanseal show loan-2026-0042 --json\n  spanseal show 4bf9... --content --identities   what was said and by whom, from the vault\n\nExit codes: 0 shown, 1 nothing found, 2 could not look, or somebody or something asked for is missing and no erasure or retention explains it."
)]
pub struct ShowArgs {
    /// Trace id, record id or decision id
    #[arg(value_name = "TRACE_OR_RECORD_ID")]
    pub id: String,
    /// Resolve pseudonyms back to persons, where the vault still knows them; recorded in the log
    #[arg(long)]
    pub identities: bool,
    /// Show what was said, where the vault still has it, checked against the record; recorded in the log
    #[arg(long)]
    pub content: bool,
    /// Print the story as one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// How the reading is recorded.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Keys to trust.
    #[command(flatten)]
    pub keys: KeyArgs,
}

/// `spanseal prove`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal prove 0f1e2d3c4b5a69788796a5b4c3d2e1f0 > proof.json\n  spanseal check proof.json --vkey 'example.com/prod+1a2b3c4d+AbCd...'\n  \
    spanseal prove --trace-id 4bf92f3577b34da6a3ce929d0e0e4736      the records found of a trace are sealed\n  \
    spanseal prove 0f1e... --through 9b8c...                        no seal between the two is left out\n  \
    spanseal prove 0f1e... --through 9b8c... --trace-id 4bf9...     the same, with those of a trace shown\n\n\
    The proof goes to stdout. Exit codes: 0 proved, 1 no such record, 2 could not look (or not at everything)."
)]
pub struct ProveArgs {
    /// Record id, 32 hexadecimal digits: `record.id` in what `spanseal query --format json` prints, also with `--decision ID`
    #[arg(value_name = "RECORD_ID", required_unless_present = "trace_id")]
    pub id: Option<String>,
    /// Prove that no seal is left out from the one of RECORD_ID to the one of this record. That is the order of sealing, not of events.
    /// Other records are withheld; their number is stated by the log's key, and not proved. The proof still tells of each segment its
    /// class, size, number of records and first and last time; and whoever has a withheld record that stands alone below a hash can confirm it
    #[arg(long, value_name = "RECORD_ID", requires = "id")]
    pub through: Option<String>,
    /// Show the records of this trace: alone, all that are found; with --through, those that lie between the two
    #[arg(long, value_name = "TRACE_ID")]
    pub trace_id: Option<String>,
    /// With --through, show every record between the two. Only for readers who may see them all
    #[arg(long, requires = "through", conflicts_with = "trace_id")]
    pub all: bool,
    /// Only look in this log of the store
    #[arg(long, value_name = "LOG")]
    pub log: Option<String>,
    /// Open the content: add what was said and its salts, so that whoever has the proof reads it and checks it. Only for readers who may;
    /// recorded in the log
    #[arg(long)]
    pub content: bool,
    /// How the reading is recorded.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Keys to trust.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// Witnesses to trust.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// `spanseal check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal check proof.json --vkey 'example.com/prod+1a2b3c4d+AbCd...'\n  spanseal prove 0f1e... | spanseal check - --vkey log.vkey\n  \
    spanseal check proof.json --vkey log.vkey --witness a.vkey --witness b.vkey --quorum 1\n\n\
    Exit codes: 0 proved, 1 the proof does not hold, 2 could not check (no key, not a proof of this format, not yet cosigned by the quorum, no time stamp that leads to --tsa-roots, a kept checkpoint of another size)."
)]
pub struct CheckArgs {
    /// The proof bundle; `-` reads it from stdin
    #[arg(value_name = "PROOF")]
    pub proof: PathBuf,
    /// Keys to trust.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// Time stamping authorities to trust.
    #[command(flatten)]
    pub tsa_roots: RootArgs,
    /// Witnesses to trust.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// A checkpoint of the log that you kept (or a proof, which holds one): of the same size it shows that you are shown the same history, or
    /// a fork; of another size only the store can tell (`verify --since-checkpoint`). It must come from elsewhere than this proof: a copy of
    /// what you were handed with it agrees with it and shows nothing
    #[arg(long, value_name = "FILE", value_parser = parse_kept)]
    pub checkpoint: Option<KeptFile>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// `spanseal erase`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("whom").required(true).multiple(false).args(["person", "subject", "record"]),
    after_help = "Examples:\n  spanseal erase --person alice@example.com --ground 'request under Art. 17 GDPR' --ticket DSR-42 --dry-run\n  \
    spanseal erase --subject ps:vault:00112233445566778899aabbccddeeff --ground 'objection upheld' --yes\n  \
    spanseal erase --record 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --ground 'sent by mistake'\n\n\
    Erased are the person's entry in the vault and what was said in their traces; what a trace shares with others stays and is listed.\n\
    What an open legal hold means is not erased, unless the hold is named with --despite-hold (see `spanseal hold`).\n\
    Evidence stays as it is. The erasure is a record itself: put no name into --ground or --ticket, they cannot be erased.\n\
    A running `serve` is asked to do it; where none runs, this command opens the log itself.\n\
    Exit codes: 0 erased (or shown), 1 nothing to erase, or it was erased already, 2 could not."
)]
pub struct EraseArgs {
    /// Anybody a record names (user, subject, reviewer ...), by id or pseudonym
    #[arg(long, value_name = "PERSON")]
    pub person: Option<String>,
    /// Whom decisions are about (subject.id), by id or pseudonym
    #[arg(long, value_name = "PERSON")]
    pub subject: Option<String>,
    /// Only what was said in one record, 32 hexadecimal digits
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub record: Option<String>,
    /// Why, in words that name nobody
    #[arg(long, value_name = "TEXT", value_parser = parse_ground)]
    pub ground: String,
    /// The request that it answers
    #[arg(long, value_name = "TEXT", value_parser = parse_ticket)]
    pub ticket: Option<String>,
    /// Who asks for it; recorded as persons are
    #[arg(long, value_name = "PERSON", value_parser = parse_by)]
    pub by: Option<String>,
    /// Take --person or --subject as the id that the application sent, also where it begins with `ps:` or `id:`
    #[arg(long, conflicts_with = "record")]
    pub as_sent: bool,
    /// Realm of the person, where one id is several people's; may be repeated
    #[arg(long, value_name = "REALM")]
    pub realm: Vec<String>,
    /// Also erase what their traces share with others
    #[arg(long)]
    pub shared: bool,
    /// Erase although this legal hold means something of it, which the erasure's record then says; each such hold has to be named
    #[arg(long = "despite-hold", value_name = "MATTER", value_parser = parse_decree)]
    pub despite_holds: Vec<String>,
    /// Only say what would be erased
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Where no `serve` answers, open the log in a bucket even if its newest seal promises another: only when its `serve` is dead for
    /// sure. One that is alive is displaced: it stops, and refuses what it was about to seal, which its senders send again
    #[arg(long)]
    pub offline: bool,
    /// How a running `serve` is reached.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// `spanseal doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal doctor --config spanseal.yaml\n  spanseal doctor --store s3://audit-bucket/prod --no-canary\n  spanseal doctor --json | jq '.checks[] | select(.state != \"ok\")'\n\n\
    On any store but a folder a small canary object with a lock of one day is written below `_doctor/`, to see whether the store really refuses to delete it, or to shorten or lift its lock. It cannot be removed for that day; --no-canary leaves the question open.\n\
    Exit codes: 0 no problem (warnings are allowed), 1 problems, 2 something could not be checked."
)]
pub struct DoctorArgs {
    /// Write no canary object: then nothing is said about whether locks hold
    #[arg(long)]
    pub no_canary: bool,
    /// Seal what the canary showed into the log, as a record of kind `retention`: by the running `serve`, or where none runs by this process
    #[arg(long, conflicts_with = "no_canary")]
    pub record: bool,
    /// Where no `serve` answers, open the log in a bucket even if its newest seal promises another: only when its `serve` is dead for
    /// sure (see `spanseal erase --help`)
    #[arg(long, requires = "record")]
    pub offline: bool,
    /// How a running `serve` is reached.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// `spanseal lint`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal lint traces.json                     OTLP as the Collector's file exporter writes it\n  \
    spanseal lint --format json --fail-on missing,unknown captured/*.pb | jq .totals\n  \
    spanseal lint --listen --for 30s              receives on the configured ports, stores nothing\n  \
    spanseal lint --listen 127.0.0.1:5317         gRPC there, HTTP on the next port\n\n\
    Files are OTLP requests of traces or logs, protobuf or JSON, one or many (JSON lines; the file exporter's length-prefixed form), \
    as they are or compressed with gzip or zstd.\nThe configuration decides as it would for serve: dialects, own rules, kept attributes. \
    No content and no person is printed.\n\
    Exit codes: 0 nothing of what --fail-on names, 1 something, 2 an input could not be read or held nothing, 64 the command line is wrong.")]
pub struct LintArgs {
    /// OTLP requests; `-` reads from stdin
    #[arg(value_name = "FILE", conflicts_with = "listen")]
    pub files: Vec<PathBuf>,
    /// Receive instead, by OTLP/gRPC and OTLP/HTTP: where the configuration says, or on a host or HOST:PORT (gRPC; HTTP on the next port; 0 takes free ones)
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, require_equals = false, value_parser = parse_endpoint)]
    pub listen: Option<Option<Endpoint>>,
    /// Stop after so long, such as 30s or 5m; else at Ctrl-C
    #[arg(long = "for", value_name = "TIME", requires = "listen", conflicts_with = "files", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Stop after so many spans and logs
    #[arg(long, value_name = "N", requires = "listen", conflicts_with = "files", value_parser = parse_limit)]
    pub count: Option<usize>,
    /// What protobuf files hold, where they do not say it themselves
    #[arg(long, value_name = "SIGNAL")]
    pub signal: Option<LintSignal>,
    /// Whose wishes count beside what records require, such as eu_ai_act; may be repeated; all without it
    #[arg(long, value_name = "ID", value_parser = parse_framework)]
    pub framework: Vec<String>,
    /// What makes the exit code 1; `none` for nothing
    #[arg(long, value_name = "FINDINGS", value_delimiter = ',', default_value = "missing,unknown,conflicts,rejected")]
    pub fail_on: Vec<FailOn>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: LintFormat,
    /// `COLUMNS` of the environment: counts before the terminal's own width.
    #[arg(skip)]
    pub columns: Option<usize>,
}

/// `spanseal collector`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal collector filter > spanseal-pipelines.yaml\n  spanseal collector check otelcol.yaml\n  \
    spanseal collector example agent > otelcol.yaml")]
pub struct CollectorArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CollectorCommand,
}

/// What can be done for a Collector.
#[derive(Debug, Subcommand)]
pub enum CollectorCommand {
    /// Print a Collector configuration that passes the AI spans and logs that this configuration promotes, or everything
    Filter(CollectorFilterArgs),
    /// Say what a Collector configuration would lose or weaken on the way to spanseal, with the line
    Check(CollectorCheckArgs),
    /// Print a whole Collector configuration to begin with: beside the application, as a gateway, over a network
    Example(CollectorExampleArgs),
}

/// `spanseal collector filter`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal collector filter > spanseal-pipelines.yaml\n  otelcol-contrib --config yours.yaml --config spanseal-pipelines.yaml\n  \
    spanseal collector filter --config spanseal.yaml        with the dialects and rules of that configuration\n  \
    spanseal collector filter --everything                  no filter: spanseal leaves what is not AI\n\n\
    Run it again when `promotion` changes; `spanseal collector check` finds a filter that is not the configuration's any more."
)]
pub struct CollectorFilterArgs {
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    pub format: FilterFormat,
    /// Pass everything instead: no filter
    #[arg(long)]
    pub everything: bool,
}

/// Form of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FilterFormat {
    /// Processors, exporter and pipelines, ready to use
    Yaml,
    /// The OTTL conditions alone, one a line
    Conditions,
}

/// `spanseal collector check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal collector check otelcol.yaml\n  spanseal collector check otelcol.yaml --exporter otlp_grpc/audit\n  \
    spanseal collector check otelcol.yaml --config spanseal.yaml --format json | jq '.findings[].kind'\n  \
    spanseal collector check base.yaml site.yaml            as `otelcol --config base.yaml --config site.yaml` reads them\n\n\
    What options do and what their defaults are is judged as in Collector 0.152 (core and contrib).\n\
    `${env:NAME:-default}` counts as its default; what has none is told as not judged. The filter, ports, TLS, and that certificates and \
    tokens are shown are compared with --config; without one the filter and the ports with the defaults.\n\
    Exit codes: 0 nothing found, 1 found something (with --strict also: something could not be judged), 2 could not read it or tell which \
    exporter is meant."
)]
pub struct CollectorCheckArgs {
    /// A Collector configuration (YAML), `-` for standard input; of several the later is written over the earlier, as the Collector does
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The exporter that leads to spanseal, as in otlp_grpc/audit; without it those whose address is spanseal's (--config) or has `spanseal` in
    /// it, those whose name has, or else the only OTLP exporter
    #[arg(long, value_name = "NAME")]
    pub exporter: Option<String>,
    /// Exit with 1 also where something on the way could not be judged; notes do not count
    #[arg(long)]
    pub strict: bool,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CheckFormat,
}

/// Form of what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For a reader
    Text,
    /// One JSON object
    Json,
}

/// `spanseal collector example`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal collector example\n  spanseal collector example agent > otelcol.yaml")]
pub struct CollectorExampleArgs {
    /// Which; without it, the list
    #[arg(value_name = "NAME", value_parser = examples())]
    pub name: Option<String>,
}

/// The names, and as files.
fn examples() -> clap::builder::PossibleValuesParser {
    let examples = crate::collector::examples::EXAMPLES.iter();
    clap::builder::PossibleValuesParser::new(examples.map(|example| PossibleValue::new(example.name).alias(example.file)))
}

/// A signal that can be linted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LintSignal {
    /// Spans
    Traces,
    /// Log records
    Logs,
}

/// Form of `lint`'s answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For a terminal
    Table,
    /// One object, for CI
    Json,
}

/// What `lint` may fail on: a kind of finding, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailOn(pub Option<Finding>);

impl ValueEnum for FailOn {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [FailOn; Finding::ALL.len() + 1] = {
            let [a, b, c, d, e, f, g] = Finding::ALL;
            [
                FailOn(Some(a)),
                FailOn(Some(b)),
                FailOn(Some(c)),
                FailOn(Some(d)),
                FailOn(Some(e)),
                FailOn(Some(f)),
                FailOn(Some(g)),
                FailOn(None),
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self.0 {
            Some(finding) => PossibleValue::new(finding.word()).help(finding.meaning()),
            None => PossibleValue::new("none").help("Nothing"),
        })
    }
}

/// `spanseal guide`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal guide\n  spanseal guide langfuse | less")]
pub struct GuideArgs {
    /// Which; without it, the list
    #[arg(value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(crate::guides::GUIDES.iter().map(|guide| guide.name)))]
    pub name: Option<String>,
}

/// `spanseal attributes`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal attributes | less\n  spanseal attributes --format json | jq '.members[] | select(.level == \"required\")'"
)]
pub struct AttributesArgs {
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: AttributesFormat,
}

/// Form of `attributes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AttributesFormat {
    /// A document
    Markdown,
    /// One object
    Json,
}

/// `spanseal retention`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal retention presets --id eu-ai-act-deployer-logs\n  spanseal retention plan --config new.yaml\n  \
    spanseal retention status --config spanseal.yaml --due 90d"
)]
pub struct RetentionArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RetentionCommand,
}

/// What `spanseal retention` can do.
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// List what laws, rules and standards say about keeping such records, with source and date
    Presets(PresetsArgs),
    /// Say what the configuration would do to the records that are there; changes nothing
    Plan(PlanArgs),
    /// Read back the lock of every object and say which are not as promised, and which end soon
    Status(StatusArgs),
    /// Keep what holds a matching record until a later date; never shortens
    Extend(Box<ExtendArgs>),
}

/// `spanseal retention presets`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal retention presets\n  spanseal retention presets --id eu-ai-act-deployer-logs")]
pub struct PresetsArgs {
    /// Explain this one
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: TableOrJson,
}

/// `spanseal retention plan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal retention plan --config new.yaml                    all records of the log\n  \
    spanseal retention plan --config new.yaml --from 2026-11-01 --format json\n\n\
    Reads what was sealed, asks the policies of that configuration of every record, and says what class records like these would get, what \
    that is in objects and bytes, and what would be longer, shorter, stronger or weaker than now.\n\
    Exit codes: 0 `serve` would take the configuration; 1 it would refuse it because of compliance_ceiling; 2 not everything could be read, or the \
    configuration is refused for another reason, which is said instead of a plan; 64 the command line is wrong.")]
pub struct PlanArgs {
    /// Only what was sealed not before: a date or a time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_from)]
    pub from: Option<UnixNanos>,
    /// Only what was sealed not after: a date (the whole day) or a time
    #[arg(long, value_name = "TIME", value_parser = parse_to)]
    pub to: Option<UnixNanos>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: TableOrJson,
    /// Whose log it is
    #[command(flatten)]
    pub keys: KeyArgs,
}

/// `spanseal retention status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanseal retention status --config spanseal.yaml\n  spanseal retention status --config spanseal.yaml --due 90d --format json\n  \
    spanseal retention status --config spanseal.yaml --attest --reason 'quarterly audit'\n\n\
    Every version's lock is asked of the store and compared with what its seal and the configuration on record demand: missing, shorter or \
    weaker locks, delete markers, versions that somebody else wrote, objects that are gone before their time. Bytes of segments are not \
    read; `spanseal verify` does that.\n\
    --attest seals what was found into the log: by the running `serve`, or where none runs by this process, with the log's keys.\n\
    Exit codes: 0 all locks hold, 1 some do not, 2 could not check."
)]
pub struct StatusArgs {
    /// Seal what was found into the log, as a record of kind `retention`
    #[arg(long)]
    pub attest: bool,
    /// Why, in words that name nobody; stands in the record
    #[arg(long, value_name = "TEXT", requires = "attest", visible_alias = "ground", value_parser = parse_ground)]
    pub reason: Option<String>,
    /// The request that it answers; stands in the record
    #[arg(long, value_name = "TEXT", requires = "attest", value_parser = parse_ticket)]
    pub ticket: Option<String>,
    /// Who asks for it; recorded as persons are
    #[arg(long, value_name = "PERSON", requires = "attest", value_parser = parse_by)]
    pub by: Option<String>,
    /// Where no `serve` answers, open the log in a bucket even if its newest seal promises another: only when its `serve` is dead for
    /// sure (see `spanseal erase --help`)
    #[arg(long, requires = "attest")]
    pub offline: bool,
    /// How a running `serve` is reached.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Count locks that end within this time, as in 30d or 6mo
    #[arg(long, value_name = "PERIOD", default_value = "30d")]
    pub due: Period,
    /// First seal to look at: an index, a date or a time (RFC 3339)
    #[arg(long, value_name = "SEAL|TIME", value_parser = parse_bound_from)]
    pub from: Option<Bound>,
    /// Last seal to look at: an index, a date (the whole day) or a time
    #[arg(long, value_name = "SEAL|TIME", value_parser = parse_bound_to)]
    pub to: Option<Bound>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: TableOrJson,
    /// Whose log it is
    #[command(flatten)]
    pub keys: KeyArgs,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableOrJson {
    /// For people
    Table,
    /// For machines
    Json,
}

/// `spanseal keygen`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("of_witness").multiple(false).args(["public", "witness", "token"]), after_help = "Examples:\n  spanseal keygen                               both keys, where the configuration wants them\n  \
    spanseal keygen --config spanseal.yaml --only log\n  spanseal keygen --public --config spanseal.yaml > log.vkey   public half of the key that exists, for auditors\n  spanseal keygen --token collector-eu --key-file ./tokens   a bearer token; the file gets its hash\n  spanseal keygen --witness witness.example.com/compliance > witness.vkey\n  spanseal keygen --public --key-file spanseal-witness.key > witness.vkey\n\n\
    Two witnesses on one machine have two key files (--key-file) and two state folders.\nNothing is ever overwritten, and no key is made for a log that exists. Keep both files secret and backed up: whoever has the log key can sign as this log, and without the identity key nobody can be found by name again.")]
pub struct KeygenArgs {
    /// Make only this key
    #[arg(long, value_name = "KEY", conflicts_with = "public")]
    pub only: Option<KeyKind>,
    /// Make the key that the log is to change to (log.next_key_file), for the log of the existing key
    #[arg(long, conflicts_with = "only")]
    pub next: bool,
    /// Make nothing; print the public half of a key that exists: the log key of the configuration, with --next the one that it changes to, with
    /// --key-file FILE a witness's
    #[arg(long)]
    pub public: bool,
    /// Make a bearer token for whoever has this name (a Collector, an application), print it once, and add its hash to --key-file, which
    /// `auth.token_file` names
    #[arg(long, value_name = "NAME", conflicts_with_all = ["only", "public", "next", "witness"], value_parser = values::parse_token_name)]
    pub token: Option<String>,
    /// Make the key of a witness of this name (a name of yours, such as witness.example.com/compliance) and print its public half
    #[arg(long, value_name = "NAME", conflicts_with_all = ["only", "public", "next"])]
    pub witness: Option<String>,
    /// Where the key of the witness goes (by default ./spanseal-witness.key), or with --public lies; with --token the file that is added to
    #[arg(long, value_name = "FILE", requires = "of_witness", conflicts_with_all = ["only", "next"])]
    pub key_file: Option<PathBuf>,
}

/// Where the key of a witness lies, unless it is said.
pub(crate) const WITNESS_KEY: &str = "./spanseal-witness.key";

/// `spanseal witness`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanseal keygen --witness witness.example.com/compliance > witness.vkey\n  \
    spanseal witness --state ./witness-state --log 'example.com/prod+1a2b3c4d+AbCd...'\n  \
    spanseal witness --state ./witness-state --log prod.vkey --listen 0.0.0.0:8730 --tls-cert cert.pem --tls-key key.pem\n\n\
    Run it where the operator of the log has no access. It answers POST /add-checkpoint (C2SP tlog-witness) of the logs named, refuses a log that \
    shrinks or forks, and keeps one small file a log in the state folder. Keep that folder: without it a log could have two histories \
    cosigned, so a witness that lost it should go on under a new key. Stops on SIGINT or SIGTERM.")]
pub struct WitnessArgs {
    /// Its signing key, made by `spanseal keygen --witness NAME`
    #[arg(long, value_name = "FILE", default_value = WITNESS_KEY)]
    pub key_file: PathBuf,
    /// Folder of what it has seen, one process a folder; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Where to listen, HOST:PORT; port 0 takes a free one
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:8730", value_parser = str::parse::<Endpoint>)]
    pub listen: Endpoint,
    /// Public key of a log to follow, or a file that holds it; may be repeated, also for the keys of a log that changes its own, oldest
    /// first: the first checkpoint under a newer one retires the older
    #[arg(long, value_name = "KEY", required = true, value_parser = VkeyParser)]
    pub log: Vec<VerifierKey>,
    /// Certificate (PEM), first its own, then its chain; without it plain HTTP, which shows nothing secret
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyKind {
    /// The signing key (log.key_file)
    Log,
    /// The key of pseudonyms (identity.key_file)
    Identity,
    /// The key of the vault (content.vault.key_file)
    Vault,
}

impl Command {
    /// Whether it asks the configuration anything. An auditor's machine, or one where tokens are made, need not be able to read the one that
    /// its environment names.
    pub fn reads_configuration(&self) -> bool {
        match self {
            Command::Check(_) | Command::Attributes(_) | Command::Format | Command::Guide(_) => false,
            Command::Collector(CollectorArgs { command: CollectorCommand::Example(_) }) => false,
            Command::Keygen(args) => args.token.is_none() && args.witness.is_none() && args.key_file.is_none(),
            _ => true,
        }
    }

    /// Whether it says what a configuration would do, one that `serve` refuses for its ceiling included.
    pub fn plans(&self) -> bool {
        matches!(self, Command::Retention(RetentionArgs { command: RetentionCommand::Plan(_) }))
    }
}

impl Global {
    /// For [`crate::config::Config::load`].
    pub fn overrides(&self) -> Overrides {
        Overrides { config: self.config.clone(), store: self.store.clone(), lift_ceiling: false }
    }
}

impl Cli {
    /// Fills in what the environment says and the command line does not, and looks whether the parts fit together. The error is a
    /// sentence.
    pub fn complete(&mut self, environment: &Environment) -> Result<(), String> {
        if let Command::Verify(args) = &self.command
            && args.is_backwards()
        {
            return Err("`--from` lies after `--to`, so no seal can lie between them".to_owned());
        }
        if let Command::Lint(args) = &mut self.command {
            if args.files.is_empty() && args.listen.is_none() {
                return Err("lint needs something to look at: files of OTLP requests (`-` reads stdin), or `--listen` to receive from an \
                            application; see `spanseal lint --help`"
                    .to_owned());
            }
            args.columns = environment.get("COLUMNS").and_then(|columns| columns.trim().parse().ok()).filter(|columns| *columns > 0);
        }
        // A proof is checked with each of them.
        let takes_several = matches!(self.command, Command::Check(_));
        match &self.command {
            Command::Verify(VerifyArgs { trust, .. })
            | Command::Prove(ProveArgs { trust, .. })
            | Command::Check(CheckArgs { trust, .. }) => {
                trust.check()?;
            }
            _ => {}
        }
        let keys = match &mut self.command {
            Command::Verify(args) => &mut args.keys,
            Command::Query(args) => &mut args.keys,
            Command::Show(args) => &mut args.keys,
            Command::Prove(args) => &mut args.keys,
            Command::Check(args) => &mut args.keys,
            Command::Retention(RetentionArgs { command: RetentionCommand::Plan(args) }) => &mut args.keys,
            Command::Retention(RetentionArgs { command: RetentionCommand::Status(args) }) => &mut args.keys,
            Command::Retention(RetentionArgs { command: RetentionCommand::Extend(args) }) => &mut args.order.keys,
            Command::Hold(HoldArgs { command: HoldCommand::Place(args) }) => &mut args.order.keys,
            Command::Hold(HoldArgs { command: HoldCommand::Release(args) }) => &mut args.order.keys,
            Command::Hold(HoldArgs { command: HoldCommand::List(args) }) => &mut args.keys,
            Command::Demo(_)
            | Command::Serve(_)
            | Command::Erase(_)
            | Command::Lint(_)
            | Command::Attributes(_)
            | Command::Collector(_)
            | Command::Format
            | Command::Guide(_)
            | Command::Retention(RetentionArgs { command: RetentionCommand::Presets(_) })
            | Command::Doctor(_)
            | Command::Witness(_)
            | Command::Keygen(_) => {
                return match &self.command {
                    Command::Collector(CollectorArgs { command: CollectorCommand::Filter(args) })
                        if args.everything && args.format == FilterFormat::Conditions =>
                    {
                        Err("--everything has no conditions: it needs --format yaml".to_owned())
                    }
                    _ => Ok(()),
                };
            }
        };
        if let (true, Some(text)) = (keys.vkey.is_empty(), environment.get("SPANSEAL_VKEY")) {
            for one in text.split_whitespace() {
                keys.vkey.push(parse_vkey(one).map_err(|why| format!("SPANSEAL_VKEY: {why}"))?);
            }
        }
        if let Some((one, other)) = keys.rivals().filter(|(one, other)| !takes_several && one.name() != other.name()) {
            return Err(format!(
                "--vkey: keys of two logs, `{}` and `{}`, which in a store would lie in one folder, the last part of the name; bring the key of the \
                 log that this store holds",
                one.name(),
                other.name()
            ));
        }
        if let Some((one, other)) = keys.rivals().filter(|_| !takes_several) {
            return Err(format!(
                "--vkey: two different keys for one log, `{one}` and `{other}`, of which only one could count; bring the one that you trust \
                 (after a change of key either will do here, because the log leads from one to the other)"
            ));
        }
        let brought = keys.vkey.clone();
        if let Command::Verify(VerifyArgs { trust, .. })
        | Command::Prove(ProveArgs { trust, .. })
        | Command::Check(CheckArgs { trust, .. }) = &self.command
        {
            trust.check_apart_from(&brought)?;
        }
        match &self.command {
            Command::Prove(args) if args.id.is_some() && args.trace_id.is_some() && args.through.is_none() => {
                Err("either a RECORD_ID or --trace-id; both together need --through RECORD_ID, the other end of the range".to_owned())
            }
            Command::Prove(args) if args.content && (args.trace_id.is_some() || args.through.is_some()) => {
                Err("--content is for the proof of one record: what was said is opened record by record, each by a proof of its own"
                    .to_owned())
            }
            Command::Query(args) if args.proof && args.format != QueryFormat::Json => {
                Err("--proof needs --format json: the other forms have no room for proofs".to_owned())
            }
            Command::Query(args) if args.content && args.format != QueryFormat::Json => {
                Err("--content needs --format json: the other forms have no room for it".to_owned())
            }
            Command::Query(args) if args.select.is_backwards() => Err(BACKWARDS.to_owned()),
            Command::Hold(HoldArgs { command: HoldCommand::Place(args) }) if args.select.is_backwards() => Err(BACKWARDS.to_owned()),
            Command::Retention(RetentionArgs { command: RetentionCommand::Extend(args) }) if args.select.is_backwards() => {
                Err(BACKWARDS.to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
