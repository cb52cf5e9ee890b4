//! A Collector configuration as far as the check asks: components by name, pipelines by what they name, values with their places.

use super::Sources;
use crate::config::Environment;
use crate::config::yaml::{ConfigError, Mark, Node, Source, Value};

/// A component and what is configured of it.
#[derive(Debug)]
pub(super) struct Component<'n> {
    /// `type` or `type/name`.
    pub(super) id: String,
    pub(super) mark: Mark,
    kind: String,
    node: &'n Node,
    /// Whether `otelcol print-config` wrote it.
    printed: bool,
}

/// A section that has defaults of its own, so that its key alone, without a value, switches it on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Section {
    Absent,
    Present,
    /// `print-config` writes null for what is off.
    Untold(Mark),
}

/// A component as a pipeline names it.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) id: String,
    pub(super) mark: Mark,
}

/// A pipeline.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// `signal` or `signal/name`.
    pub(super) id: String,
    pub(super) mark: Mark,
    pub(super) receivers: Vec<Reference>,
    pub(super) processors: Vec<Reference>,
    pub(super) exporters: Vec<Reference>,
}

/// The whole file.
#[derive(Debug)]
pub(super) struct File<'n> {
    pub(super) receivers: Vec<Component<'n>>,
    pub(super) processors: Vec<Component<'n>>,
    pub(super) exporters: Vec<Component<'n>>,
    pub(super) connectors: Vec<Component<'n>>,
    pub(super) extensions: Vec<Component<'n>>,
    pub(super) pipelines: Vec<Pipeline>,
    /// `service.extensions`
    pub(super) started: Vec<Reference>,
    /// Where that is written.
    pub(super) started_mark: Option<Mark>,
}

/// A value of a component.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// Not written: the Collector's default holds.
    Nothing,
    /// Its text, variables replaced by their defaults.
    Is(String, Mark),
    /// A variable without a default or with one in its default, a secret that was not printed, or no single value.
    Unknown(Mark),
}

impl<'n> File<'n> {
    pub(super) fn read(source: &Sources, root: &'n Node) -> Result<File<'n>, ConfigError> {
        let printed = is_printed(root);
        let map = |what: &str, node: Option<&'n Node>| match node.map(|node| (node, &node.value)) {
            Some((_, Value::Map(members))) => Ok(members.as_slice()),
            None | Some((_, Value::Null)) => Ok(&[][..]),
            Some((node, other)) => Err(source.error(node.mark, format!("{what} is a map, and {}", stands(node, other)))),
        };
        let components = |section: &str| -> Result<Vec<Component<'n>>, ConfigError> {
            let members = map(&format!("`{section}`"), below(root, section))?;
            Ok(members
                .iter()
                .map(|(key, node)| Component { id: key.name.clone(), kind: kind_of(&key.name), mark: key.mark, node, printed })
                .collect())
        };
        let mut pipelines = Vec::new();
        let service = below(root, "service").ok_or_else(|| {
            source
                .whole("has no `service`, so no pipeline; if the configuration has more files, name all of them, in the Collector's order")
        })?;
        for (key, node) in map("`service.pipelines`", below(service, "pipelines"))? {
            map(&format!("the pipeline `{}`", key.name), Some(node))?;
            let references = |name: &str| references(source, &key.name, name, below(node, name));
            pipelines.push(Pipeline {
                id: key.name.clone(),
                // A list that a later file has in place of an earlier one is where to look.
                mark: ["receivers", "processors", "exporters"].iter().filter_map(|list| key_of(node, list)).fold(key.mark, later),
                receivers: references("receivers")?,
                processors: references("processors")?,
                exporters: references("exporters")?,
            });
        }
        Ok(File {
            receivers: components("receivers")?,
            processors: components("processors")?,
            exporters: components("exporters")?,
            connectors: components("connectors")?,
            extensions: components("extensions")?,
            pipelines,
            started: references(source, "service", "extensions", below(service, "extensions"))?,
            started_mark: key_of(service, "extensions"),
        })
    }

    /// The processor that a pipeline names.
    pub(super) fn processor(&self, reference: &Reference) -> Option<&Component<'n>> {
        self.processors.iter().find(|processor| processor.id == reference.id)
    }

    /// Whether a name is a connector's.
    pub(super) fn is_connector(&self, id: &str) -> bool {
        self.connectors.iter().any(|connector| connector.id == id)
    }
}

impl Pipeline {
    /// `traces`, `logs`, `metrics` or `profiles`.
    pub(super) fn signal(&self) -> &str {
        self.id.split('/').next().unwrap_or_default()
    }
}

impl<'n> Component<'n> {
    /// Its type, as `kind_of` spells it.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// What stands behind its type.
    pub(super) fn name(&self) -> &str {
        self.id.split_once('/').map_or("", |(_, name)| name)
    }

    /// An exporter of OTLP, by its name or the older one.
    pub(super) fn is_otlp(&self) -> bool {
        self.is_grpc() || self.kind() == "otlphttp"
    }

    pub(super) fn is_grpc(&self) -> bool {
        matches!(self.kind(), "otlpgrpc" | "otlp")
    }

    pub(super) fn is_balancer(&self) -> bool {
        self.kind() == "loadbalancing"
    }

    /// The node at a path below it.
    pub(super) fn node(&self, path: &[&str]) -> Option<&'n Node> {
        path.iter().try_fold(self.node, |node, key| below(node, key))
    }

    /// Whether a section stands at a path below it.
    pub(super) fn section(&self, path: &[&str]) -> Section {
        match self.node(path) {
            None => Section::Absent,
            Some(Node { mark, value: Value::Null }) if self.printed => Section::Untold(*mark),
            Some(_) => Section::Present,
        }
    }

    /// The value at a path below it. What is below a variable is not known.
    pub(super) fn said(&self, path: &[&str]) -> Said {
        let mut node = self.node;
        for key in path {
            if is_variable(node) {
                return Said::Unknown(node.mark);
            }
            match below(node, key) {
                Some(inner) => node = inner,
                None => return Said::Nothing,
            }
        }
        said(node)
    }

    /// The variable that stands for all of it.
    pub(super) fn is_variable(&self) -> bool {
        is_variable(self.node)
    }

    /// What stands for a whole list, map or text below it and cannot be known, with the keys that lead to it. A value that is set changes
    /// nothing that is judged.
    pub(super) fn variables(&self) -> Vec<(String, Mark)> {
        fn collect(path: &str, node: &Node, variables: &mut Vec<(String, Mark)>) {
            match &node.value {
                Value::Scalar(_) if is_variable(node) => variables.push((path.to_owned(), node.mark)),
                Value::Null | Value::Scalar(_) => {}
                Value::List(items) => items.iter().for_each(|item| collect(path, item, variables)),
                Value::Map(members) => {
                    for (key, inner) in members.iter().filter(|(key, _)| key.name != "value") {
                        let path = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
                        collect(&path, inner, variables);
                    }
                }
            }
        }
        let mut variables = Vec::new();
        collect("", self.node, &mut variables);
        variables
    }

    /// Where a path below it begins to be written; else the component itself.
    pub(super) fn place(&self, path: &[&str]) -> Mark {
        let mut place = self.mark;
        let mut node = self.node;
        for key in path {
            let Value::Map(members) = &node.value else { break };
            let Some((key, inner)) = members.iter().find(|(k, _)| &k.name == key) else { break };
            (place, node) = (key.mark, inner);
        }
        place
    }

    /// Every text below it, with its place.
    pub(super) fn texts(&self, path: &[&str]) -> Vec<(String, Mark)> {
        fn collect(node: &Node, texts: &mut Vec<(String, Mark)>) {
            match &node.value {
                Value::Null => {}
                Value::Scalar(text) => texts.push((text.clone(), node.mark)),
                Value::List(items) => items.iter().for_each(|item| collect(item, texts)),
                Value::Map(members) => members.iter().for_each(|(_, inner)| collect(inner, texts)),
            }
        }
        let mut texts = Vec::new();
        if let Some(node) = self.node(path) {
            collect(node, &mut texts);
        }
        texts
    }
}

/// The type of a component, without underscores: newer versions write with them what older ones wrote without (`load_balancing`), and the Collector
/// takes both. So none stands in what this is compared with.
pub(super) fn kind_of(id: &str) -> String {
    id.split('/').next().unwrap_or_default().replace('_', "")
}

/// A member of a map.
pub(super) fn below<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(members) => members.iter().find(|(k, _)| k.name == key).map(|(_, node)| node),
        _ => None,
    }
}

/// Of two places the one in the later file, else the first.
pub(super) fn later(one: Mark, other: Mark) -> Mark {
    if other.file > one.file { other } else { one }
}

/// Where the key of a member stands.
fn key_of(node: &Node, key: &str) -> Option<Mark> {
    match &node.value {
        Value::Map(members) => members.iter().find(|(k, _)| k.name == key).map(|(key, _)| key.mark),
        _ => None,
    }
}

/// The items of a list; of anything else none.
pub(super) fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

/// Whether there is any text in it: `print-config` writes empty lists for what nobody wrote.
pub(super) fn says_something(node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Scalar(text) => !text.is_empty(),
        Value::List(items) => items.iter().any(says_something),
        Value::Map(members) => members.iter().any(|(_, inner)| says_something(inner)),
    }
}

/// Whether `otelcol print-config` wrote the file. Nobody else writes all of these, which are defaults, or a sizer as an empty map.
fn is_printed(root: &Node) -> bool {
    const DEFAULTS: [&str; 4] = ["encoding", "error_output_paths", "output_paths", "sampling"];
    let logs = ["service", "telemetry", "logs"].iter().try_fold(root, |node, key| below(node, key));
    logs.is_some_and(|logs| DEFAULTS.iter().all(|key| below(logs, key).is_some())) || below(root, "exporters").is_some_and(has_empty_sizer)
}

fn has_empty_sizer(node: &Node) -> bool {
    let Value::Map(members) = &node.value else { return false };
    members.iter().any(|(key, inner)| {
        (key.name == "sizer" && matches!(&inner.value, Value::Map(members) if members.is_empty())) || has_empty_sizer(inner)
    })
}

/// What `print-config` writes for a secret.
const REDACTED: &str = "[REDACTED]";

/// A single value, variables replaced by their defaults.
pub(super) fn said(node: &Node) -> Said {
    match &node.value {
        Value::Null => Said::Nothing,
        // An environment without variables: defaults alone.
        Value::Scalar(raw) => match Environment::default().substitute(raw) {
            Ok(text) if text == REDACTED || nests(raw) => Said::Unknown(node.mark),
            Ok(text) if stands_alone(raw) => match of_default(&text) {
                Some(Value::List(_) | Value::Map(_)) => Said::Unknown(node.mark),
                // However that is written, it is one of two.
                Some(Value::Scalar(truth)) if matches!(truth.as_str(), "true" | "false") => Said::Is(truth, node.mark),
                Some(Value::Scalar(_) | Value::Null) | None => Said::Is(text, node.mark),
            },
            Ok(text) => Said::Is(text, node.mark),
            Err(_) => Said::Unknown(node.mark),
        },
        Value::List(_) | Value::Map(_) => Said::Unknown(node.mark),
    }
}

/// Whether a variable's default has a variable in it, which the Collector replaces and we do not.
fn nests(raw: &str) -> bool {
    let mut rest = raw;
    while let Some((_, after)) = rest.split_once('$') {
        rest = match (after.strip_prefix('$'), after.strip_prefix('{')) {
            (Some(literal), _) => literal,
            (None, Some(inside)) => {
                let (reference, behind) = inside.split_once('}').unwrap_or((inside, ""));
                if reference.contains("${") {
                    return true;
                }
                behind
            }
            (None, None) => after,
        };
    }
    false
}

/// What stands where something else belongs.
fn stands(node: &Node, value: &Value) -> String {
    match is_variable(node) {
        true => "here stands a variable, which is not read here: check what the Collector makes of it (`otelcol print-config --config FILE | spanseal \
                 collector check -`)"
            .to_owned(),
        false => format!("here stands {}", value.kind()),
    }
}

/// Whether a value is one variable as a whole, so that a map or a list may come of it, and nobody here knows which.
fn is_variable(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(raw) if stands_alone(raw)) && matches!(said(node), Said::Unknown(_))
}

/// Whether nothing stands beside the variable.
fn stands_alone(raw: &str) -> bool {
    let raw = raw.trim();
    raw.starts_with("${") && raw.ends_with('}')
}

/// What the Collector makes of a variable's default, which it reads as YAML.
fn of_default(default: &str) -> Option<Value> {
    let source = Source { name: String::new(), text: default.to_owned() };
    source.parse().ok().map(|node| node.value)
}

fn references(source: &Sources, of: &str, name: &str, node: Option<&Node>) -> Result<Vec<Reference>, ConfigError> {
    let Some(node) = node else { return Ok(Vec::new()) };
    match &node.value {
        Value::Null => Ok(Vec::new()),
        Value::List(items) => items
            .iter()
            .map(|item| match (said(item), &item.value) {
                (Said::Is(id, mark), _) => Ok(Reference { id, mark }),
                (_, other) => Err(source.error(item.mark, format!("`{name}` of `{of}` lists names, and {}", stands(item, other)))),
            })
            .collect(),
        other => Err(source.error(node.mark, format!("`{name}` of `{of}` is a list of names, and {}", stands(node, other)))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::tests::{HTTP, checked, kinds};

    const TEXT: &str = r#"
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: 14}}}
  file_log: {}
processors:
  batch: {}
  groupbytrace: {}
  k8s_attributes: {}
  log_dedup: {}
  memory_limiter: {}
  probabilistic_sampler: {sampling_percentage: 15}
  remotetap: {}
  resourcedetection: {}
  tail_sampling: {}
connectors:
  roundrobin: {}
extensions:
  bearertokenauth: {filename: token}
  file_storage: {directory: /var/lib/otelcol}
  health_check: {}
exporters:
  aws_s3: {}
  otlp/vendor: {endpoint: vendor.example.com:4317}
  loadbalancing/one:
    auth: {authenticator: bearertokenauth}
    protocol: {otlp: {tls: {insecure: true}, auth: {authenticator: bearertokenauth}}}
    sending_queue: {storage: file_storage}
    resolver: {static: {hostnames: [127.0.0.1:14317]}}
  otlp_http/one: {endpoint: http://127.0.0.1:14318, sending_queue: {storage: file_storage}}
service:
  extensions: [bearertokenauth, file_storage, health_check]
  pipelines:
    traces/in:
      receivers: [otlp]
      processors: [groupbytrace, k8s_attributes, memory_limiter, probabilistic_sampler, remotetap, resourcedetection, tail_sampling]
      exporters: [roundrobin]
    traces/one: {receivers: [roundrobin], exporters: [loadbalancing/one, otlp/vendor]}
    traces/two: {receivers: [roundrobin], exporters: [aws_s3]}
    logs: {receivers: [otlp], processors: [log_dedup], exporters: [loadbalancing/one, otlp_http/one, aws_s3]}
    logs/system: {receivers: [file_log], exporters: [aws_s3]}
"#;

    /// A variable's default is read as the value itself would be.
    #[test]
    fn truth_is_truth_in_a_default_too() {
        let with = |value: &str| {
            let text = HTTP.replace("MORE", "").replace(", QUEUE", "");
            checked(&text.replace("{max_elapsed_time: 0s}", &format!("{{max_elapsed_time: 0s, enabled: {value}}}")))
        };
        for (value, expected) in [("TRUE", ""), ("True", ""), ("true", ""), ("FALSE", "retry_off"), ("False", "retry_off")] {
            for written in [value.to_owned(), format!("\"${{env:B:-{value}}}\"")] {
                let report = with(&written);
                assert_eq!((kinds(&report).as_str(), report.unjudged.as_slice()), (expected, &[][..]), "{written}: {report:#?}");
            }
        }
    }

    /// Scenario: component types in the spelling of another version of the Collector. Guarantee: the same is said of them.
    #[test]
    fn types_are_known_in_every_spelling() {
        let said = |report: Report| {
            let places = report.findings.iter().map(|found| (found.line, found.component.clone(), found.says.clone()));
            let remarks = report.unjudged.iter().chain(&report.notes).map(|told| (told.line, told.component.clone(), told.says.clone()));
            (format!("{:?}", places.chain(remarks).collect::<Vec<_>>()), format!("{:?}", report.taken))
        };
        let (expected, taken) = said(checked(TEXT));
        for word in [
            "samples",
            "holds telemetry in memory",
            "refuses audit",
            "makes one log of several",
            "shows what passes",
            "in turn",
            "in plain text",
        ] {
            assert!(expected.contains(word), "{word}: {expected}");
        }
        assert!(taken.contains("loadbalancing/one") && taken.contains("otlp_http/one") && !taken.contains("vendor"), "{taken}");
        for (one, other) in [
            ("aws_s3", "awss3"),
            ("bearertokenauth", "bearer_token_auth"),
            ("file_log", "filelog"),
            ("file_storage", "filestorage"),
            ("groupbytrace", "group_by_trace"),
            ("health_check", "healthcheck"),
            ("k8s_attributes", "k8sattributes"),
            ("loadbalancing", "load_balancing"),
            ("log_dedup", "logdedup"),
            ("memory_limiter", "memorylimiter"),
            ("otlp_http", "otlphttp"),
            ("probabilistic_sampler", "probabilisticsampler"),
            ("remotetap", "remote_tap"),
            ("resourcedetection", "resource_detection"),
            ("roundrobin", "round_robin"),
            ("tail_sampling", "tailsampling"),
        ] {
            let (all, taken_too) = said(checked(&TEXT.replace(one, other)));
            assert_eq!((all.replace(other, one), taken_too.replace(other, one)), (expected.replace(other, one), taken.clone()), "{other}");
        }
    }
}
