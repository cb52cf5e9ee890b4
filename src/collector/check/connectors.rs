//! Connectors on the way to spanseal: what they pass on to the pipelines that lead there, and what they drop or pass elsewhere.

use std::collections::BTreeSet;

use super::file::{Component, File, Pipeline, below, items, said};
use super::keys::{Worth, drops_all, worth};
use super::ottl::Statement;
use super::pipelines::names;
use super::{Kind, Notes, Receiving, Said};
use crate::config::yaml::{Node, Value};

/// What to do about one that the backend needs.
const APART: &str = "a pipeline to spanseal of its own, from the same receivers, without this connector";

/// Judges the connectors that a pipeline on the way hands over to.
pub(super) fn judge(
    file: &File<'_>,
    way: &[&Pipeline],
    exporters: &[&Component<'_>],
    from: &Pipeline,
    receiving: &Receiving,
    notes: &mut Notes,
) {
    let is_reached = |connector: &&Component<'_>| names(&from.exporters, &connector.id);
    for connector in file.connectors.iter().filter(is_reached).filter(|connector| connector.kind() != "forward") {
        let of_signal = |pipeline: &&Pipeline| pipeline.signal() == from.signal() && names(&pipeline.receivers, &connector.id);
        let fed = file.pipelines.iter().filter(of_signal);
        let (ours, others): (Vec<&Pipeline>, Vec<&Pipeline>) = fed.partition(|fed| way.iter().any(|known| known.id == fed.id));
        let Some(first) = ours.first().map(|pipeline| pipeline.id.as_str()) else { continue };
        let ids = |pipelines: &[&Pipeline]| -> BTreeSet<String> { pipelines.iter().map(|pipeline| pipeline.id.clone()).collect() };
        let fed = Fed { ours: &ids(&ours), others: &ids(&others), first };
        match connector.kind() {
            "routing" => Routing { connector, fed: &fed, signal: from.signal(), receiving }.judge(notes),
            "failover" => {
                fed.shared(connector, "hands over to one of its pipelines alone, to the next where that fails", notes);
                apart(file, exporters, &ours, connector, notes);
            }
            "roundrobin" => {
                fed.shared(connector, "gives each request to another of its pipelines in turn", notes);
                apart(file, exporters, &ours, connector, notes);
            }
            kind if kind.contains("sampl") => {
                let says = format!("samples on the way to spanseal (`{first}`): what it leaves out is no evidence");
                notes.found(Kind::Sampled, connector.mark, &connector.id, says, APART);
            }
            _ => {
                let says = format!("what this connector passes on to {}, and what it does not, is not known here", listed(fed.ours));
                notes.unjudged(connector.mark, &connector.id, says);
            }
        }
    }
}

/// Whom a connector feeds, of one signal.
struct Fed<'a> {
    /// Pipelines that lead to spanseal, and the first of them.
    ours: &'a BTreeSet<String>,
    first: &'a str,
    others: &'a BTreeSet<String>,
}

impl Fed<'_> {
    /// Of a connector that gives something to one pipeline alone.
    fn shared(&self, connector: &Component<'_>, what_it_does: &str, notes: &mut Notes) {
        if !self.others.is_empty() {
            let says = format!("{what_it_does}: what it gives to others ({}) never comes to spanseal", listed(self.others));
            notes.unjudged(connector.mark, &connector.id, says);
        }
    }
}

/// Of exporters that a connector chooses between, each may have a log of its own behind it.
fn apart(file: &File<'_>, exporters: &[&Component<'_>], ours: &[&Pipeline], connector: &Component<'_>, notes: &mut Notes) {
    let of_each: Vec<BTreeSet<&str>> = ours.iter().map(|pipeline| reached(file, exporters, pipeline)).collect();
    let all: BTreeSet<&str> = of_each.iter().flatten().copied().collect();
    if of_each.iter().any(|reached| *reached != all) {
        let says = format!(
            "chooses between {}: where these lead to several logs, one trace may lie in several of them, and what is sent again by another way \
             is not recognised",
            listed(all)
        );
        notes.note(connector.mark, &connector.id, says);
    }
}

/// The exporters to spanseal that a pipeline leads to, through connectors too.
fn reached<'e>(file: &File<'_>, exporters: &[&'e Component<'_>], from: &Pipeline) -> BTreeSet<&'e str> {
    let (mut known, mut open) = (BTreeSet::new(), vec![from]);
    let mut all = BTreeSet::new();
    while let Some(pipeline) = open.pop() {
        if !known.insert(&pipeline.id) {
            continue;
        }
        all.extend(exporters.iter().map(|exporter| exporter.id.as_str()).filter(|id| names(&pipeline.exporters, id)));
        let connectors = pipeline.exporters.iter().filter(|exporter| file.is_connector(&exporter.id));
        let fed = |id: &str| file.pipelines.iter().filter(|next| next.signal() == from.signal() && names(&next.receivers, id)).collect();
        open.extend(connectors.flat_map(|connector| -> Vec<&Pipeline> { fed(&connector.id) }));
    }
    all
}

/// A routing connector on the way of one signal.
struct Routing<'a, 'n> {
    connector: &'a Component<'n>,
    fed: &'a Fed<'a>,
    signal: &'a str,
    receiving: &'a Receiving,
}

/// What comes of everything that takes its way through a table.
#[derive(Default)]
struct Ways {
    /// Whether some of it may come to spanseal.
    some: bool,
    /// Whether all that is left at some point was copied there.
    copied: bool,
    /// Where what meets some conditions goes instead.
    elsewhere: BTreeSet<String>,
    /// Whether a route leads there, and it may be to no pipeline that is known.
    leads_elsewhere: bool,
    /// The last way, of what took none before; `None` where there is none.
    rest: Option<BTreeSet<String>>,
}

const DEFAULT: [&str; 1] = ["default_pipelines"];

impl Routing<'_, '_> {
    /// What meets no condition goes to the default pipelines, and nowhere where there are none.
    fn judge(&self, notes: &mut Notes) {
        let (connector, fed) = (self.connector, self.fed);
        let (id, mark) = (&connector.id, connector.place(&DEFAULT));
        // Of one with a variable nothing more is known.
        if connector.is_variable() || !connector.variables().is_empty() {
            let says = format!(
                "what this connector passes on to {}, and what it does not, is not known here: it has a variable",
                listed(fed.ours)
            );
            return notes.unjudged(connector.mark, id, says);
        }
        let ways = self.ways();
        if !ways.some && (ways.rest.is_some() || self.routes().next().is_some()) {
            let why = match self.leads_there() {
                true => "what leads there takes nothing, because a route before it takes everything, or because it is of another signal",
                false => "no route leads there, and no `default_pipelines`",
            };
            let says = format!("nothing that comes to it goes on to {}: {why}", listed(fed.ours));
            return notes.found(Kind::RouteDrops, mark, id, says, format!("`default_pipelines: [{}]`, and no route before it", fed.first));
        }
        self.statements(notes);
        let Some(rest) = ways.rest.as_ref().or(ways.copied.then_some(fed.ours)) else {
            let says = format!(
                "drops what meets none of its conditions, because it has no `default_pipelines`: AI that meets none never comes to spanseal ({})",
                listed(fed.ours)
            );
            return notes.found(Kind::RouteDrops, mark, id, says, format!("`default_pipelines: [{}]`", fed.first));
        };
        if !ways.copied && rest.is_disjoint(fed.ours) {
            let says = format!(
                "what meets none of its conditions goes to {} and not to spanseal: whether AI is among it is not known here. `{}` in the same list \
                 is safe",
                listed(rest),
                fed.first
            );
            return notes.unjudged(mark, id, says);
        }
        let is_tolerant = matches!(connector.said(&["error_mode"]), Said::Is(mode, _) if mode == "ignore" || mode == "silent");
        if ways.leads_elsewhere {
            let says = format!(
                "what meets some of its conditions goes to {} and not to spanseal: whether AI is among it is not known here",
                listed(&ways.elsewhere)
            );
            notes.unjudged(connector.mark, id, says);
        } else if !is_tolerant {
            let says = "a condition that fails on something refuses or drops the whole request, and senders may give up: `error_mode: ignore` sends \
                        it to the `default_pipelines`";
            notes.unjudged(connector.mark, id, says);
        }
    }

    /// Whether spanseal is named at all, in whatever route.
    fn leads_there(&self) -> bool {
        let routes = items(self.connector.node(&["table"])).iter().map(|route| below(route, "pipelines"));
        routes.chain([self.connector.node(&DEFAULT)]).filter_map(pipelines).any(|to| !to.is_disjoint(self.fed.ours))
    }

    /// The routes that something of this signal may take: those of another context take nothing, and behind one that takes all nothing is left.
    fn routes(&self) -> impl Iterator<Item = &Node> {
        let of_signal = if self.signal == "logs" { "log" } else { "span" };
        let takes = move |route: &&Node| match below(route, "context").map(said) {
            None | Some(Said::Nothing) => true,
            Some(Said::Is(context, _)) => ["", "resource", "request", of_signal].contains(&context.as_str()),
            Some(Said::Unknown(_)) => false,
        };
        let mut is_left = true;
        items(self.connector.node(&["table"])).iter().filter(takes).take_while(move |route| {
            let was_left = is_left;
            is_left &= copies(route) || !meets_all(route);
            was_left
        })
    }

    /// One route after another, and behind them the default pipelines. What took a route is gone, unless the route copies.
    fn ways(&self) -> Ways {
        let mut ways = Ways::default();
        for route in self.routes() {
            let to = pipelines(below(route, "pipelines")).unwrap_or_default();
            let (is_ours, takes_all) = (!to.is_disjoint(self.fed.ours), meets_all(route));
            ways.some |= is_ours;
            match (copies(route), takes_all) {
                // Whatever comes of it then, spanseal has it.
                (true, true) if is_ours => {
                    ways.copied = true;
                    return ways;
                }
                (true, _) => {}
                (false, true) => {
                    ways.rest = Some(to);
                    return ways;
                }
                (false, false) if !is_ours => {
                    ways.leads_elsewhere = true;
                    ways.elsewhere.extend(to);
                }
                (false, false) => {}
            }
        }
        ways.rest = pipelines(self.connector.node(&DEFAULT)).filter(|default| !default.is_empty());
        ways.some |= ways.rest.as_ref().is_some_and(|rest| !rest.is_disjoint(self.fed.ours));
        ways
    }

    /// `route()` chooses the way; there are two functions that take something away as well, from what is copied too.
    fn statements(&self, notes: &mut Notes) {
        let id = &self.connector.id;
        let is_dropped = |key: &str| worth(key, self.receiving) == Worth::Dropped;
        for route in self.routes() {
            let Some(statement) = condition(route).1.filter(|statement| statement.function != "route") else { continue };
            let function = statement.function.as_str();
            let takes_nothing = match function {
                "delete_key" => statement.string("key").is_some_and(|key| is_dropped(&key)),
                "delete_matching_keys" => statement.string("pattern").is_some_and(|keys| drops_all(&keys, self.receiving)),
                _ => {
                    let says =
                        "a statement of its table has a function that the routing connector does not have: the Collector does not start";
                    notes.found(Kind::DoesNotStart, route.mark, id, says, "`condition`, which chooses the way and changes nothing");
                    continue;
                }
            };
            let is_ours = pipelines(below(route, "pipelines")).is_some_and(|to| !to.is_disjoint(self.fed.ours));
            if takes_nothing {
                continue;
            }
            if is_ours || copies(route) {
                let says = format!("`{function}` takes away what the application sent (`{}`)", self.fed.first);
                notes.found(Kind::EvidenceCut, route.mark, id, says, "`condition` in its place, which chooses the way and changes nothing");
            } else {
                let says = format!(
                    "`{function}` takes something away from what goes elsewhere: whether spans or logs that share it still come to spanseal with \
                     it is not known here"
                );
                notes.unjudged(route.mark, id, says);
            }
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

/// Whether what takes a route goes on all the same.
fn copies(route: &Node) -> bool {
    matches!(below(route, "action").map(said), Some(Said::Is(action, _)) if action == "copy")
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
    use super::super::tests::{SPANSEAL, checked, kinds};

    const TEXT: &str = r#"
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: 14}}}
extensions:
  file_storage: {directory: /var/lib/otelcol, fsync: true}
connectors:
  CONNECTOR
exporters:
  debug: {}
  SPANSEAL
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

    /// Scenario: routes that copy, that everything takes, and that nothing of this signal takes. Guarantee: what goes on after a copy is not called
    /// lost, and that nothing at all comes to spanseal is found.
    #[test]
    fn a_table_is_read_from_its_first_route_on() {
        const SOME: &str = "condition: 'span.name == \"x\"'";
        let with = |default: &str, routes: &[&str]| {
            let report = with(&format!("routing: {{error_mode: ignore, {default}table: [{{{}}}]}}", routes.join("}, {")));
            let said: Vec<String> = report.findings.iter().map(|found| found.says.clone()).collect();
            let told: Vec<String> = report.unjudged.iter().map(|told| told.says.clone()).collect();
            (kinds(&report), said.join(" "), told.join(" "))
        };
        const OURS: &str = "default_pipelines: [traces/spanseal], ";
        const THEIRS: &str = "default_pipelines: [traces/backend], ";
        const ALL: &str = "condition: 'true'";
        let to = |what: &str, pipeline: &str| format!("{what}, pipelines: [traces/{pipeline}]");
        // What is copied to others goes on.
        for context in ["", "context: span, "] {
            let copy = to(&format!("{context}{SOME}, action: copy"), "backend");
            assert_eq!(with(OURS, &[&copy]), <(String, String, String)>::default());
            assert_eq!(with(OURS, &[&to(&format!("{ALL}, action: copy"), "backend")]), <(String, String, String)>::default());
        }
        // All is copied to spanseal, whatever comes of it then, but what went elsewhere before.
        let copied = to(&format!("{ALL}, action: copy"), "spanseal");
        assert_eq!(with("", &[&copied]), <(String, String, String)>::default());
        assert_eq!(with(THEIRS, &[&copied, &to(SOME, "backend")]), <(String, String, String)>::default());
        assert!(with(THEIRS, &[&to(SOME, "backend"), &copied]).2.starts_with("what meets some of its conditions"));
        // Nothing comes to it.
        for (default, routes) in [
            (OURS, vec![to(ALL, "backend")]),
            (OURS, vec![to("statement: route()", "backend"), to(SOME, "spanseal")]),
            (THEIRS, vec![to(SOME, "backend")]),
            (THEIRS, vec![to(&format!("context: log, {SOME}"), "spanseal")]),
            ("", vec![to(SOME, "backend")]),
        ] {
            let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
            let (kinds, says, _) = with(default, &routes);
            let why =
                if format!("{default}{routes:?}").contains("spanseal") { "what leads there takes nothing" } else { "no route leads there" };
            let is_said = says.starts_with("nothing that comes to it") && says.contains(why);
            assert!(kinds == "route_drops" && is_said, "{default}{routes:?}: {kinds} {says}");
        }
        // Of another signal a route takes nothing.
        let log = to(&format!("context: log, {ALL}"), "spanseal");
        let (kinds, says, _) = with("", &[&log, &to(SOME, "spanseal")]);
        assert!(kinds == "route_drops" && says.starts_with("drops what meets none"), "{kinds} {says}");
        assert_eq!(with(OURS, &[&to(&format!("context: log, {ALL}"), "backend")]), <(String, String, String)>::default());
        for context in ["span", "resource"] {
            let all = to(&format!("context: {context}, {ALL}"), "spanseal");
            assert_eq!(with("", &[&all]), <(String, String, String)>::default(), "{context}");
        }
    }

    /// What a table's statement takes away is no evidence any more, in a route that copies too; a function that there is none stops the Collector.
    #[test]
    fn a_route_that_cuts_is_found() {
        for (statement, to, expected) in [
            ("delete_key(attributes, \"gen_ai.prompt\")", "spanseal", "evidence_cut"),
            ("delete_matching_keys(attributes, \"gen_ai\")", "spanseal", "evidence_cut"),
            ("delete_key(attributes, \"gen_ai.prompt\") where true", "backend], action: copy, x: [", "evidence_cut"),
            ("delete_key(resource.attributes, \"a\") where attributes[\"b\"] == 1", "backend", "not judged"),
            ("delete_key(attributes, \"user_agent.original\")", "spanseal", ""),
            ("route() where attributes[\"b\"] == 1", "spanseal", ""),
            ("set(attributes[\"a\"], 1)", "spanseal", "does_not_start"),
        ] {
            let table = format!("table: [{{context: span, statement: '{statement}', pipelines: [traces/{to}]}}]");
            let report = with(&format!("routing: {{error_mode: ignore, default_pipelines: [traces/spanseal], {table}}}"));
            let is_told = report.unjudged.iter().any(|told| told.says.contains("from what goes elsewhere"));
            let expected = if is_told { format!("{} not judged", kinds(&report)).trim().to_owned() } else { kinds(&report) } == expected;
            assert!(expected, "{statement}: {report:#?}");
        }
    }

    /// Scenario: connectors that choose one of their pipelines, and all of them lead to spanseal. Guarantee: nothing is called lost; that there
    /// may be several logs is noted.
    #[test]
    fn one_of_several_ways_to_spanseal_is_one() {
        for connector in ["failover: {priority_levels: [[traces/spanseal], [traces/backend]]}", "roundrobin: {}"] {
            let name = connector.split(':').next().unwrap();
            let text = TEXT.replace("CONNECTOR", connector).replace("NAME", name);
            let same = checked(&text.replace("exporters: [debug]", "exporters: [otlp_grpc/spanseal]"));
            assert_eq!((kinds(&same).as_str(), same.unjudged.as_slice()), ("", &[][..]), "{same:#?}");
            assert!(!same.notes.iter().any(|note| note.component == name), "{same:#?}");
            let other = text
                .replace("  SPANSEAL\n", &SPANSEAL.replace("spanseal:\n", "spanseal: &ours\n"))
                .replace("service:\n", "  otlp_grpc/spanseal-2: *ours\nservice:\n")
                .replace("exporters: [debug]", "exporters: [otlp_grpc/spanseal-2]");
            let other = checked(&other);
            assert_eq!((kinds(&other).as_str(), other.unjudged.as_slice()), ("", &[][..]), "{other:#?}");
            let note = other.notes.iter().find(|note| note.component == name).unwrap_or_else(|| panic!("{other:#?}"));
            assert!(note.says.contains("`otlp_grpc/spanseal`, `otlp_grpc/spanseal-2`") && note.says.contains("several logs"), "{note:?}");
        }
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
