//! Connectors on the way to spanseal: what they pass on to the pipelines that lead there, and what they drop or pass elsewhere.

use std::collections::BTreeSet;

use super::file::{Component, File, Pipeline, below, items, said};
use super::ottl::Statement;
use super::pipelines::names;
use super::{Kind, Notes, Said};
use crate::config::yaml::{Node, Value};

/// What to do about one that the backend needs.
const APART: &str = "a pipeline to spanseal of its own, from the same receivers, without this connector";

/// Judges the connectors that a pipeline on the way hands over to.
pub(super) fn judge(file: &File<'_>, way: &[&Pipeline], from: &Pipeline, notes: &mut Notes) {
    let is_reached = |connector: &&Component<'_>| names(&from.exporters, &connector.id);
    for connector in file.connectors.iter().filter(is_reached).filter(|connector| connector.kind() != "forward") {
        let of_signal = |pipeline: &&Pipeline| pipeline.signal() == from.signal() && names(&pipeline.receivers, &connector.id);
        let fed: Vec<&str> = file.pipelines.iter().filter(of_signal).map(|pipeline| pipeline.id.as_str()).collect();
        let (ours, others): (Vec<&str>, Vec<&str>) = fed.into_iter().partition(|id| way.iter().any(|known| known.id == *id));
        let Some(first) = ours.first() else { continue };
        let fed = Fed { ours: &ours, others: &others, first };
        match connector.kind() {
            "routing" => fed.routing(connector, notes),
            "failover" => {
                let says = format!(
                    "hands over to one of its pipelines alone, to the next where that fails: what it gives to others{} never comes to spanseal",
                    fed.named_others()
                );
                notes.unjudged(connector.mark, &connector.id, says);
            }
            "roundrobin" => {
                let says = format!(
                    "gives each request to another of its pipelines in turn: what it gives to those that do not lead to spanseal{} never comes there",
                    fed.named_others()
                );
                notes.unjudged(connector.mark, &connector.id, says);
            }
            kind if kind.contains("sampl") => {
                let says = format!("samples on the way to spanseal (`{first}`): what it leaves out is no evidence");
                notes.found(Kind::Sampled, connector.mark, &connector.id, says, APART);
            }
            _ => {
                let says = format!("what this connector passes on to {}, and what it does not, is not known here", listed(&ours));
                notes.unjudged(connector.mark, &connector.id, says);
            }
        }
    }
}

/// Whom a connector feeds, of one signal.
struct Fed<'a> {
    /// Pipelines that lead to spanseal.
    ours: &'a [&'a str],
    others: &'a [&'a str],
    first: &'a str,
}

impl Fed<'_> {
    fn named_others(&self) -> String {
        if self.others.is_empty() { String::new() } else { format!(" ({})", listed(self.others)) }
    }

    /// What meets no condition goes to the default pipelines, and nowhere where there are none.
    fn routing(&self, connector: &Component<'_>, notes: &mut Notes) {
        const DEFAULT: [&str; 1] = ["default_pipelines"];
        let id = &connector.id;
        // Of one with a variable nothing more is known.
        if connector.is_variable() || !connector.variables().is_empty() {
            let says = format!(
                "what this connector passes on to {}, and what it does not, is not known here: it has a variable",
                listed(self.ours)
            );
            return notes.unjudged(connector.mark, id, says);
        }
        let table = items(connector.node(&["table"]));
        let routes: Vec<BTreeSet<String>> = table.iter().map(|route| pipelines(below(route, "pipelines")).unwrap_or_default()).collect();
        // What everything meets is as good as a default.
        let all_meet = table.iter().zip(&routes).filter(|(route, _)| meets_all(route)).flat_map(|(_, to)| to.iter().cloned());
        let default: BTreeSet<String> = pipelines(connector.node(&DEFAULT)).unwrap_or_default().into_iter().chain(all_meet).collect();
        if default.is_empty() {
            let says = format!(
                "drops what meets none of its conditions, because it has no `default_pipelines`: AI that meets none never comes to spanseal ({})",
                listed(self.ours)
            );
            return notes.found(Kind::RouteDrops, connector.place(&DEFAULT), id, says, format!("`default_pipelines: [{}]`", self.first));
        }
        if let Some(route) = table.iter().find(|route| does_more(route)) {
            let says =
                "a statement of its table does more than to choose the way: whether it writes over what was evidence is not known here";
            notes.unjudged(route.mark, id, says);
        }
        let is_ours = |name: &String| self.ours.contains(&name.as_str());
        let mark = connector.place(&DEFAULT);
        if !default.iter().any(is_ours) {
            let says = format!(
                "what meets none of its conditions goes to {} and not to spanseal: whether AI is among it is not known here. `{}` among the \
                 `default_pipelines` is safe",
                listed(&default),
                self.first
            );
            return notes.unjudged(mark, id, says);
        }
        let elsewhere: BTreeSet<String> = routes.iter().filter(|route| !route.iter().any(is_ours)).flatten().cloned().collect();
        let is_tolerant = matches!(connector.said(&["error_mode"]), Said::Is(mode, _) if mode == "ignore" || mode == "silent");
        if routes.iter().any(|route| !route.iter().any(is_ours)) {
            let says = format!(
                "what meets some of its conditions goes to {} and not to spanseal: whether AI is among it is not known here",
                listed(&elsewhere)
            );
            notes.unjudged(connector.mark, id, says);
        } else if !is_tolerant {
            let says = "a condition that fails on something refuses or drops the whole request, and senders may give up: `error_mode: ignore` sends \
                        it to the `default_pipelines`";
            notes.unjudged(connector.mark, id, says);
        }
    }
}

/// The condition that a route stands under, in either form.
fn condition(route: &Node) -> (Option<String>, Option<Statement>) {
    let text = |key: &str| match below(route, key).map(said) {
        Some(Said::Is(text, _)) if !text.is_empty() => Some(text),
        _ => None,
    };
    (text("condition"), text("statement").as_deref().and_then(Statement::read))
}

/// Whether everything takes a route that was not taken by another before.
fn meets_all(route: &Node) -> bool {
    match condition(route) {
        (Some(condition), _) => condition.trim() == "true",
        (None, Some(statement)) => statement.runs_always(),
        (None, None) => false,
    }
}

/// `route()` chooses the way; other functions change what passes.
fn does_more(route: &Node) -> bool {
    condition(route).1.is_some_and(|statement| statement.function != "route")
}

/// The pipelines that a list names; `None` where there is no list.
fn pipelines(node: Option<&Node>) -> Option<BTreeSet<String>> {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => Some(
            items
                .iter()
                .filter_map(|item| match said(item) {
                    Said::Is(name, _) => Some(name),
                    Said::Nothing | Said::Unknown(_) => None,
                })
                .collect(),
        ),
        _ => None,
    }
}

fn listed(ids: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    ids.into_iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::tests::{checked, kinds};

    const TEXT: &str = r#"
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: 14}}}
extensions:
  file_storage: {directory: /var/lib/otelcol, fsync: true}
connectors:
  CONNECTOR
exporters:
  debug: {}
  otlp_grpc/spanseal:
    endpoint: 127.0.0.1:14317
    tls: {insecure: true}
    timeout: 30s
    retry_on_failure: {max_elapsed_time: 0s}
    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100}
service:
  extensions: [file_storage]
  pipelines:
    traces/in: {receivers: [otlp], exporters: [NAME]}
    traces/spanseal: {receivers: [NAME], exporters: [otlp_grpc/spanseal]}
    traces/backend: {receivers: [NAME], exporters: [debug]}
    logs: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}
"#;

    fn with(connector: &str) -> Report {
        checked(&TEXT.replace("CONNECTOR", connector).replace("NAME", connector.split(':').next().unwrap()))
    }

    const TABLE: &str = "table: [{context: span, condition: 'attributes[\"a\"] == 1', pipelines: [traces/spanseal]}]";

    /// Scenario: a routing connector on the way. Guarantee: what meets none of its conditions is found lost where nothing is said of it; where it
    /// goes elsewhere, or something else does, that is said and not judged.
    #[test]
    fn what_a_route_drops_is_found() {
        for nothing in ["", "default_pipelines: [], ", "default_pipelines: , "] {
            let report = with(&format!("routing: {{{nothing}{TABLE}}}"));
            assert_eq!(kinds(&report), "route_drops", "{nothing}: {report:#?}");
            let found = &report.findings[0];
            assert_eq!((found.component.as_str(), found.line), ("routing", 7), "{found:?}");
            assert!(found.says.contains("drops what meets none of its conditions"), "{found:?}");
            assert!(found.instead.contains("`default_pipelines: [traces/spanseal]`"), "{found:?}");
        }
        for (connector, says) in [
            (
                format!("routing: {{default_pipelines: [traces/backend], {TABLE}}}"),
                "what meets none of its conditions goes to `traces/backend`",
            ),
            (
                "routing: {default_pipelines: [traces/spanseal], table: [{condition: 'x', pipelines: [traces/backend]}]}".to_owned(),
                "what meets some of its conditions goes to `traces/backend` and not to spanseal",
            ),
            (format!("routing: {{default_pipelines: [traces/spanseal], {TABLE}}}"), "a condition that fails"),
            (format!("routing: {{default_pipelines: \"${{env:ROUTES}}\", {TABLE}}}"), "is not known here"),
            (
                "routing: {error_mode: ignore, default_pipelines: [traces/spanseal], table: [{statement: 'delete_key(attributes, \"a\")', \
                 pipelines: [traces/spanseal]}]}"
                    .to_owned(),
                "does more than to choose the way",
            ),
            ("failover: {priority_levels: [[traces/spanseal], [traces/backend]]}".to_owned(), "`traces/backend`"),
            ("roundrobin: {}".to_owned(), "`traces/backend`"),
            ("mystery: {}".to_owned(), "what this connector passes on to `traces/spanseal`"),
        ] {
            let report = with(&connector);
            assert_eq!(kinds(&report), "", "{connector}: {report:#?}");
            let said: Vec<&str> = report.unjudged.iter().map(|remark| remark.says.as_str()).collect();
            assert!(said.len() == 1 && said[0].contains(says), "{connector}: {said:?}");
        }
        // Without a default, and everything takes the last route.
        for last in ["condition: 'true'", "statement: route()", "statement: 'route() where true'"] {
            let all = with(&format!("routing: {{error_mode: ignore, table: [{{{last}, pipelines: [traces/spanseal]}}]}}"));
            assert_eq!((kinds(&all).as_str(), all.unjudged.as_slice()), ("", &[][..]), "{last}: {all:#?}");
        }
        // All of it comes to spanseal, whatever meets what.
        let all = with(&format!("routing: {{error_mode: ignore, default_pipelines: [traces/backend, traces/spanseal], {TABLE}}}"));
        assert_eq!((kinds(&all).as_str(), all.unjudged.as_slice()), ("", &[][..]), "{all:#?}");
    }

    /// One that samples is as bad in a connector's place, and what one drops that a pipeline beside it carries is not lost.
    #[test]
    fn connectors_that_sample_are_found_and_others_excuse_them() {
        for connector in ["probabilistic_sampler: {}", "tail_sampling/x: {}"] {
            assert_eq!(kinds(&with(connector)), "sampled", "{connector}");
        }
        let text = TEXT.replace("CONNECTOR", &format!("routing: {{{TABLE}}}")).replace("NAME", "routing");
        let beside = text.replace("    logs:", "    traces/all: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}\n    logs:");
        let report = checked(&beside);
        assert_eq!(kinds(&report), "", "{report:#?}");
        assert!(report.notes.iter().any(|note| note.component == "routing" && note.says.contains("`traces/all` carries")), "{report:#?}");
    }
}
