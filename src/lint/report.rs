//! What was found, in the shape that `lint --format json` prints. The shape only grows: members may be added, none is removed or changes its
//! meaning while `format` is `spanseal.lint/1`.

use serde::Serialize;

/// `format` of a report.
pub const FORMAT: &str = "spanseal.lint/1";

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing of what was to fail was found.
    Fine,
    /// Something was.
    Findings,
    /// An input could not be read, or there was neither a span nor a log to look at.
    Unread,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Records lack a member that their kind requires.
    Missing,
    /// Records lack a member that somebody asks for besides.
    Recommended,
    /// Keys that are not understood and look like one that is.
    Unknown,
    /// Values that do not fit their member, or contradict another.
    Conflicts,
    /// Values that were too long, and cut.
    Truncated,
    /// Spans or logs that cannot become records.
    Rejected,
    /// Spans or logs that are not AI.
    NotAi,
}

impl Finding {
    /// All kinds.
    pub const ALL: [Finding; 7] = [
        Finding::Missing,
        Finding::Recommended,
        Finding::Unknown,
        Finding::Conflicts,
        Finding::Truncated,
        Finding::Rejected,
        Finding::NotAi,
    ];

    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Finding::Missing => "missing",
            Finding::Recommended => "recommended",
            Finding::Unknown => "unknown",
            Finding::Conflicts => "conflicts",
            Finding::Truncated => "truncated",
            Finding::Rejected => "rejected",
            Finding::NotAi => "not-ai",
        }
    }

    /// What it is, for the help of the command line.
    pub fn meaning(self) -> &'static str {
        match self {
            Finding::Missing => "Members that the kind of record requires",
            Finding::Recommended => "Members that somebody asks for besides",
            Finding::Unknown => "Keys that look like misspelt ones",
            Finding::Conflicts => "Values that do not fit, or contradict each other",
            Finding::Truncated => "Values that were cut",
            Finding::Rejected => "Spans and logs that cannot become records",
            Finding::NotAi => "Spans and logs that are not AI",
        }
    }

    /// What so many of them are.
    pub fn says(self) -> &'static str {
        match self {
            Finding::Missing => "missing (required)",
            Finding::Recommended => "missing (recommended)",
            Finding::Unknown => "unknown",
            Finding::Conflicts => "in conflict",
            Finding::Truncated => "truncated",
            Finding::Rejected => "rejected",
            Finding::NotAi => "not AI",
        }
    }
}

/// A whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: &'static str,
    /// How it ended, by what was to fail.
    pub verdict: Verdict,
    /// What was read.
    pub inputs: Vec<Input>,
    /// Sums.
    pub totals: Totals,
    /// By service, signal and name, in this order.
    pub groups: Vec<Group>,
}

/// One file, or what was received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Path as given, `-` for standard input, `otlp` for what was received.
    pub name: String,
    /// Export requests.
    pub requests: u64,
    /// Why they gave neither a span nor a log, where they did not and all of them could be read. Where nothing gave one, this is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing: Option<String>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<InputError>,
}

/// Why an input was not read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InputError {
    /// Byte in the file, after decompression, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// Line, from 1, where the file has lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Byte in that line, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_in_line: Option<u64>,
    /// Whether more stood behind the place that was not read for this reason.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rest_unread: bool,
    /// What is wrong, and what to do.
    pub what: String,
}

/// Sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Spans looked at.
    pub spans: u64,
    /// Logs looked at.
    pub logs: u64,
    /// Data points, which are counted only.
    pub data_points: u64,
    /// Spans and logs that are AI and become records.
    pub promoted: u64,
    /// Records that become of them: a span event that states an act is one of its own.
    pub records: u64,
    /// Spans and logs that are not AI.
    pub not_ai: u64,
    /// Spans and logs that cannot become records.
    pub rejected: u64,
    /// Spans and logs whose parent, trace or span id has a wrong length; their records are without it.
    pub misshapen_ids: u64,
    /// Conditions of own rules and thresholds that could not be decided, because a value was missing or of another type.
    pub undecided: u64,
    /// Findings by kind: how often a group's records lack a member, and so on.
    pub missing: u64,
    /// As `missing`.
    pub recommended: u64,
    /// Keys, by group.
    pub unknown: u64,
    /// Members in conflict, by group and kind.
    pub conflicts: u64,
    /// Members that were cut, by group and kind.
    pub truncated: u64,
}

impl Totals {
    /// How many findings of a kind there are.
    pub fn findings(&self, finding: Finding) -> u64 {
        match finding {
            Finding::Missing => self.missing,
            Finding::Recommended => self.recommended,
            Finding::Unknown => self.unknown,
            Finding::Conflicts => self.conflicts,
            Finding::Truncated => self.truncated,
            Finding::Rejected => self.rejected,
            Finding::NotAi => self.not_ai,
        }
    }
}

/// Spans or logs of one service and one name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Group {
    /// `service.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `span` or `log`.
    pub signal: &'static str,
    /// Name of the span, or of the log's event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many there were.
    pub seen: u64,
    /// How many became records.
    pub promoted: u64,
    /// How many cannot become records, and why the first of them cannot.
    pub rejected: u64,
    /// See `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_why: Option<String>,
    /// What they became, by kind and signal.
    pub records: Vec<Records>,
    /// Keys that look like known ones.
    pub unknown: Vec<Unknown>,
    /// Own rules that nearly apply. Where the one part that is not met says something else than the rule asks for, only of spans and logs that
    /// are not AI: rules tell the others apart so.
    pub near_rules: Vec<Near>,
    /// Why the others are not AI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ai: Option<NotAi>,
}

/// Records of one kind.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Records {
    /// `kind` of the record.
    pub kind: String,
    /// `source.signal`: `span`, `span_event`, `log`.
    pub signal: String,
    /// How many.
    pub count: u64,
    /// `source.dialects` of any of them.
    pub dialects: Vec<String>,
    /// What they lack, required members first.
    pub missing: Vec<Wanted>,
    /// `evidence.conflicts`.
    pub conflicts: Vec<Path>,
    /// `evidence.truncated`.
    pub truncated: Vec<Path>,
    /// `evidence.scrubbed`.
    pub scrubbed: Vec<Path>,
}

/// A member that records lack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// Path of the member.
    pub path: &'static str,
    /// `required`: the record itself names it in `evidence.missing`. `recommended`: somebody asks for it.
    pub level: &'static str,
    /// How many of the records lack it.
    pub count: u64,
    /// The attribute that sets it, and others that do; a resource attribute where `resource` is true.
    pub set: Vec<String>,
    /// Whether the attribute belongs on the resource.
    pub resource: bool,
    /// A value as an example.
    pub example: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// On what it depends, where telemetry does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<&'static str>,
    /// Who asks, as `framework` and `reference`.
    pub asked_by: Vec<AskedBy>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AskedBy {
    /// Id of a framework.
    pub framework: &'static str,
    /// Where to read, or what is asked in a word.
    pub reference: &'static str,
}

/// A path that evidence names, and in how many records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Path {
    /// Path of a member.
    pub path: String,
    /// How many records.
    pub count: u64,
}

/// A key that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// As sent.
    pub key: String,
    /// What was probably meant.
    pub nearest: String,
    /// On how many spans or logs.
    pub count: u64,
}

/// An own rule of which spans or logs meet all but one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Near {
    /// Its name.
    pub rule: String,
    /// The part that is not met, in words.
    pub lacks: String,
    /// Of how many spans, logs and events.
    pub count: u64,
}

/// Why spans or logs are not AI.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotAi {
    /// How many.
    pub count: u64,
    /// The keys that were looked at, and those of events; the first of them.
    pub keys: Vec<String>,
    /// How many more there were.
    pub keys_more: u64,
    /// What came near.
    pub why: Vec<Why>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Why {
    /// `no_ai_key`, `switched_off`, `value`, `carried`, `rule`, `name_only`, `resource_only`.
    pub reason: &'static str,
    /// In words.
    pub says: String,
}
