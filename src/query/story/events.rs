//! One record in sentences: what happened, then everything known about it.

use super::access;
use super::change;
use super::control;
use super::decreed;
use super::people::People;
use super::phrases::{action, automation, confidence, reasons};
use super::review::{self, is_review, review_result};
use super::words::{between, count, list, list_some, moment, number, quote, short_hash};
use crate::query::Hit;
use crate::record::canonical::Json;

/// The leading sentence, and the others in paragraphs: who, model, decision, review, data and so on.
pub(super) fn tell(hit: &Hit, people: &mut People) -> (String, Vec<String>) {
    let mut told = Told { hit, people, out: Vec::new() };
    let lead = told.lead();
    let mut paragraphs = Vec::new();
    let themes: [fn(&mut Told<'_>); 11] = [
        |t| t.actor(),
        |t| t.model_and_prompt(),
        |t| t.retrieval_and_tool(),
        |t| t.decision_and_confidence(),
        |t| t.guardrail_and_policy(),
        |t| t.review(),
        |t| t.explanation(),
        |t| t.lineage(),
        |t| t.action_and_evaluation(),
        |t| t.change_and_control(),
        |t| t.outcome_of_the_call(),
    ];
    for theme in themes {
        theme(&mut told);
        if !told.out.is_empty() {
            paragraphs.push(std::mem::take(&mut told.out).join(" "));
        }
    }
    (lead, paragraphs)
}

struct Told<'a> {
    hit: &'a Hit,
    people: &'a mut People,
    out: Vec<String>,
}

impl Told<'_> {
    fn text(&self, path: &str) -> Option<String> {
        self.hit.text(path).map(str::to_owned)
    }

    fn quoted(&self, path: &str) -> Option<String> {
        self.hit.text(path).map(quote)
    }

    fn number(&self, path: &str) -> Option<String> {
        self.hit.record.path(path).map(number)
    }

    fn flag(&self, path: &str) -> Option<bool> {
        match self.hit.record.path(path) {
            Some(Json::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    fn texts(&self, path: &str) -> Vec<String> {
        let items = self.hit.record.path(path).and_then(Json::as_array).unwrap_or_default();
        items.iter().filter_map(Json::as_str).map(quote).collect()
    }

    fn say(&mut self, text: impl Into<String>) {
        self.out.push(text.into());
    }

    /// How the receiver came to a value that the sender did not state as such.
    fn derived(&self, path: &str) -> String {
        let how = self.hit.record.get("evidence").and_then(|e| e.get("derived")).and_then(|d| d.get(path)).and_then(Json::as_str);
        match how.map(|h| h.split_once(':').unwrap_or((h, ""))) {
            None => String::new(),
            Some(("computed", _)) => " (computed by the receiver)".to_owned(),
            Some(("configured", _)) => " (set in the receiver's configuration)".to_owned(),
            Some(("resource", _)) => " (stated for the whole service)".to_owned(),
            Some(("fallback", key)) => format!(" (taken from {})", quote(key)),
            Some(("carrier", key)) => format!(" (carried in {})", quote(key)),
            Some((other, _)) => format!(" ({})", quote(other)),
        }
    }

    fn lead(&self) -> String {
        let service =
            self.quoted("source.service").map_or_else(|| "A service whose name is not recorded".to_owned(), |s| format!("The service {s}"));
        if review::leads(self.hit) {
            return review::lead(self.hit);
        }
        let by_agent = self.quoted("actor.agent.name").map(|name| format!("The agent {name}"));
        match self.hit.text("kind").unwrap_or("event") {
            "inference" => format!("{service} asked a model."),
            "embedding" => format!("{service} turned text into numbers, so that it can be compared."),
            "retrieval" => format!("{service} looked documents up."),
            "rerank" => format!("{service} put documents in order of relevance."),
            "tool" => format!("{} used a tool.", by_agent.unwrap_or(service)),
            "agent" => format!("{} worked on a task.", by_agent.unwrap_or_else(|| format!("An agent of {}", lower(&service)))),
            "workflow" => format!("{service} ran a workflow."),
            "guardrail" => format!("{service} ran a safety check."),
            "evaluation" => format!("{service} rated a result."),
            "decision" => format!("{service} stated a decision."),
            "explanation" => format!("{service} recorded an explanation."),
            "lineage" => format!("{service} recorded where data came from."),
            "action" => format!("{service} recorded an action."),
            "model_version" => format!("{service} recorded a version of a model."),
            "deployment" => format!("{service} recorded that something was put into use."),
            "prompt_version" => format!("{service} recorded a version of a prompt."),
            "dataset_version" => format!("{service} recorded a version of a data set."),
            "training" => format!("{service} recorded the training of a model."),
            "policy" => format!("{service} recorded a policy."),
            "config_change" => "The configuration of spanseal was put on record.".to_owned(),
            "access" => "The evidence itself was read.".to_owned(),
            "hold" => decreed::lead(self.hit).unwrap_or("A legal hold was recorded.").to_owned(),
            "erasure" => "An erasure was recorded.".to_owned(),
            "retention" => {
                let lead = control::lead(self.hit).or_else(|| decreed::lead(self.hit));
                lead.unwrap_or("A change of how long evidence is kept was recorded.").to_owned()
            }
            "alert" => "An alert was recorded.".to_owned(),
            _ => match self.quoted("source.event_name").or_else(|| self.quoted("trace.name")) {
                Some(name) => format!("{service} reported the event {name}."),
                None => format!("{service} reported an event."),
            },
        }
    }

    fn actor(&mut self) {
        if let Some(id) = self.text("actor.user_id") {
            let name = self.people.name(&id, "the user");
            let role = self.quoted("actor.role").map(|r| format!(", in the role {r}")).unwrap_or_default();
            self.say(format!("The user was {name}{role}."));
        }
        if let Some(id) = self.text("subject.id") {
            let name = self.people.name(&id, "the person concerned");
            let kind = self.quoted("subject.type").map(|t| format!(", recorded as {t}")).unwrap_or_default();
            self.say(format!("It concerns {name}{kind}."));
        }
        if let Some(use_case) = self.quoted("system.use_case") {
            let class = self.quoted("system.risk_class").map(|c| format!(", in the risk class {c}")).unwrap_or_default();
            self.say(format!("The use reported is {use_case}{class}."));
        }
    }

    fn model_and_prompt(&mut self) {
        self.model();
        self.prompt();
    }

    fn model(&mut self) {
        let id = self.text("model.id").or_else(|| self.text("model.requested"));
        let Some(id) = id else {
            if matches!(self.hit.text("kind"), Some("inference" | "embedding" | "rerank")) {
                self.say("Which model it was is not recorded.");
            }
            return;
        };
        let provider = self.quoted("model.provider").map(|p| format!(" from {p}")).unwrap_or_default();
        let version = match self.text("model.version") {
            Some(version) if version == id => format!(", which also stands for its version{}", self.derived("model.version")),
            Some(version) => format!(", version {}{}", quote(&version), self.derived("model.version")),
            None => "; its version is not recorded".to_owned(),
        };
        self.say(format!("The model was {}{provider}{version}.", quote(&id)));
        if let Some(requested) = self.text("model.requested").filter(|r| *r != id) {
            self.say(format!("The application had asked for {}.", quote(&requested)));
        }
        if let Some(checksum) = self.text("model.checksum") {
            self.say(format!("Its checksum is {}.", short_hash(&checksum)));
        }
        if let Some(data) = self.quoted("model.training_data.id") {
            let version = self.quoted("model.training_data.version").map(|v| format!(", version {v}")).unwrap_or_default();
            self.say(format!("It was trained on {data}{version}."));
        }
    }

    fn prompt(&mut self) {
        let name = self.quoted("prompt.name");
        let version = self.quoted("prompt.version");
        let what = match (&name, &version) {
            (Some(name), Some(version)) => Some(format!("{name}, version {version}")),
            (Some(name), None) => Some(format!("{name}, version not recorded")),
            (None, Some(version)) => Some(format!("version {version}, name not recorded")),
            (None, None) => None,
        };
        if let Some(what) = what {
            self.say(format!("Its instructions were the prompt {what}."));
        }
        for (path, words) in
            [("prompt.hash", "The instructions as sent have the hash"), ("prompt.template_hash", "The prompt's template has the hash")]
        {
            if let Some(hash) = self.text(path) {
                let source = match self.hit.text(&format!("{path}_source")) {
                    Some("receiver") => ", computed by the receiver",
                    Some("producer") => ", as the application reported",
                    _ => "",
                };
                self.say(format!("{words} {}{source}.", short_hash(&hash)));
            }
        }
    }

    fn retrieval_and_tool(&mut self) {
        self.retrieval();
        if let Some(name) = self.quoted("tool.name") {
            self.say(format!("The tool was {name}."));
        }
    }

    fn retrieval(&mut self) {
        let from = self.quoted("retrieval.data_source_id");
        let documents: Vec<String> = self
            .hit
            .record
            .path("retrieval.documents")
            .and_then(Json::as_array)
            .unwrap_or_default()
            .iter()
            .map(|d| {
                let id = d.get("id").and_then(Json::as_str).map_or_else(|| "one without an id".to_owned(), quote);
                d.get("score").map_or_else(|| id.clone(), |score| format!("{id} (score {})", number(score)))
            })
            .collect();
        match (from, documents.as_slice()) {
            (Some(from), []) => self.say(format!("It searched {from}; which documents it found is not recorded.")),
            (Some(from), some) => {
                let n = count(u64::try_from(some.len()).unwrap_or(u64::MAX), "document");
                self.say(format!("It searched {from} and found {n}: {}.", list_some(some, 5)));
            }
            (None, []) => {}
            (None, some) => {
                self.say(format!("It found {}: {}.", count(u64::try_from(some.len()).unwrap_or(u64::MAX), "document"), list_some(some, 5)))
            }
        }
    }

    fn decision_and_confidence(&mut self) {
        self.decision();
        if let Some(words) = confidence(self.hit) {
            self.say(format!("{words}."));
        }
    }

    fn decision(&mut self) {
        if is_review(self.hit) {
            return;
        }
        if let Some(outcome) = self.quoted("decision.outcome") {
            let kind = self.quoted("decision.type").map(|t| format!(", in the matter of {t}")).unwrap_or_default();
            let band = self.quoted("decision.band").map(|b| format!(", in the band {b}")).unwrap_or_default();
            let score = self.number("decision.score").map(|s| format!(", with the score {s}")).unwrap_or_default();
            self.say(format!("The outcome was {outcome}{kind}{score}{band}."));
        } else if self.hit.text("kind") == Some("decision") {
            self.say("Its outcome is not recorded.");
        }
        self.out.extend(automation(self.hit));
        if let Some(authority) = self.quoted("decision.authority") {
            self.say(format!("It was made under the authority {authority}."));
        }
    }

    fn guardrail_and_policy(&mut self) {
        for (group, what) in [("guardrail", "safety check"), ("policy", "policy")] {
            let name = self.quoted(&format!("{group}.name")).or_else(|| self.quoted(&format!("{group}.id")));
            let outcome = self.quoted(&format!("{group}.outcome"));
            let version = self.quoted(&format!("{group}.version")).map(|v| format!(", version {v}")).unwrap_or_default();
            match (name, outcome) {
                (Some(name), Some(outcome)) => self.say(format!("The {what} {name}{version} said {outcome}.")),
                (Some(name), None) => self.say(format!("The {what} in force was {name}{version}.")),
                (None, Some(outcome)) => self.say(format!("A {what} said {outcome}.")),
                (None, None) => {}
            }
        }
    }

    fn review(&mut self) {
        if self.hit.record.get("review").is_none() && !is_review(self.hit) {
            return;
        }
        if self.flag("review.required") == Some(true) {
            let by = self.hit.text("review.deadline").map(|d| format!(", due by {}", moment(d))).unwrap_or_default();
            self.say(format!("A human review was required{by}."));
        }
        if !review::leads(self.hit) {
            self.out.extend(review::besides(self.hit));
        }
        if let Some(trigger) = self.quoted("review.trigger") {
            self.say(format!("The reason for reviewing it was {trigger}."));
        }
        if let Some(id) = self.text("review.reviewer.id") {
            let name = self.people.name(&id, "the reviewer");
            let role = self.quoted("review.reviewer.role").map(|r| format!(", in the role {r}")).unwrap_or_default();
            self.say(format!("The reviewer was {name}{role}."));
        }
        if review::stage(self.hit).is_some() {
            self.out.extend(review_result(self.hit));
        }
        if let Some(code) = self.quoted("review.reason_code") {
            self.say(format!("The reviewer's reason has the code {code}."));
        }
        if self.hit.record.path("review.reason").is_some() {
            self.say(format!("The reviewer's reason in words is {}.", super::evidence::held(self.hit.record.path("review.reason"))));
        }
        if let (Some(start), Some(end)) = (self.hit.text("review.started_at"), self.hit.text("review.completed_at"))
            && let Some(took) = between(start, end)
        {
            self.say(format!("By the times reported, it took {took}."));
        }
        match self.flag("review.deadline_met") {
            Some(true) => self.say(format!("It was done before its deadline{}.", self.derived("review.deadline_met"))),
            Some(false) => self.say(format!("It was done after its deadline{}.", self.derived("review.deadline_met"))),
            None => {}
        }
    }

    fn explanation(&mut self) {
        if self.hit.record.get("explanation").is_none() {
            return;
        }
        let codes = self.texts("explanation.reason_codes");
        if !codes.is_empty() {
            let of = if is_review(self.hit) { "with the review" } else { "for the decision" };
            self.say(reasons(&codes, of));
        }
        let weighed: Vec<String> = self
            .hit
            .record
            .path("explanation.attributions")
            .and_then(Json::as_array)
            .unwrap_or_default()
            .iter()
            .filter_map(|a| {
                let feature = quote(a.get("feature")?.as_str()?);
                let weight = a.get("attribution").map(|w| format!(" ({})", number(w))).unwrap_or_default();
                Some(format!("{feature}{weight}"))
            })
            .collect();
        if !weighed.is_empty() {
            self.say(format!("What weighed most, by the explanation: {}.", list_some(&weighed, 5)));
        }
        if let Some(method) = self.quoted("explanation.method") {
            self.say(format!("The explanation was made by the method {method}."));
        }
        if let Some(text) = self.hit.record.path("explanation.text") {
            let held = super::evidence::held(Some(text));
            self.say(format!("The explanation in words is {held}."));
        }
    }

    fn lineage(&mut self) {
        let sources = self.texts("lineage.data_sources");
        if !sources.is_empty() {
            self.say(format!("The data came from {}.", list_some(&sources, 8)));
        }
        let categories = self.texts("lineage.categories");
        match categories.as_slice() {
            [] => {}
            [one] => self.say(format!("It is recorded as data of the kind {one}.")),
            several => self.say(format!("It is recorded as data of the kinds {}.", list(several))),
        }
        if let Some(purpose) = self.quoted("lineage.purpose") {
            self.say(format!("The purpose stated is {purpose}."));
        }
        if let Some(basis) = self.quoted("lineage.lawful_basis") {
            self.say(format!("The lawful basis stated is {basis}."));
        }
        if let Some(status) = self.quoted("lineage.consent.status") {
            self.say(format!("The consent is recorded as {status}."));
        }
    }

    fn action_and_evaluation(&mut self) {
        if let Some(words) = action(self.hit) {
            self.say(format!("{words}."));
        }
        self.evaluation();
    }

    fn evaluation(&mut self) {
        let Some(name) = self.quoted("evaluation.name") else { return };
        let label = self.quoted("evaluation.label").map(|l| format!(" as {l}")).unwrap_or_default();
        let score = self.number("evaluation.score").map(|s| format!(" with the score {s}")).unwrap_or_default();
        self.say(format!("The rating {name} came out{label}{score}."));
    }

    fn change_and_control(&mut self) {
        for (path, part, words) in [
            ("change.by", "who changed something", "It was changed by"),
            ("change.approval.by", "who approved a change", "It was approved by"),
            ("control.by", "an operator", "It was done by"),
        ] {
            if let Some(id) = self.text(path) {
                let name = self.people.name(&id, part);
                self.say(format!("{words} {name}."));
            }
        }
        if let Some(object) = self.quoted("change.object") {
            let version = self.quoted("change.version").map(|v| format!(", version {v}")).unwrap_or_default();
            self.say(format!("It concerns {object}{version}."));
        }
        if self.hit.text("kind") == Some("config_change") {
            self.differences();
        }
        let told = match self.hit.text("kind") {
            Some("access") => access::sentences(self.hit),
            Some("hold") => decreed::sentences(self.hit),
            Some("retention") => control::sentences(self.hit).or_else(|| decreed::sentences(self.hit)),
            _ => None,
        };
        if let Some(told) = told {
            told.into_iter().for_each(|sentence| self.say(sentence));
        } else if let Some(act) = self.quoted("control.act") {
            let target = self.quoted("control.target").map(|t| format!(" on {t}")).unwrap_or_default();
            self.say(format!("The act was {act}{target}."));
        }
        let before: Vec<String> =
            crate::vault::Told::parse(&self.hit.record).into_iter().flat_map(|told| told.despite).map(|matter| quote(&matter)).collect();
        if !before.is_empty() {
            let holds = if before.len() == 1 { "a legal hold that was open and meant" } else { "legal holds that were open and meant" };
            self.say(format!("It went before {holds} something of what it took, as it was told to: {}.", list(&before)));
        }
    }

    /// What a new configuration changes.
    fn differences(&mut self) {
        match (self.hit.text("change.before"), self.hit.text("change.after")) {
            (Some(before), Some(after)) => match change::differences(before, after) {
                Some(all) if all.is_empty() => self.say("Nothing in it differs from the one before."),
                Some(all) => all.into_iter().for_each(|sentence| self.say(sentence)),
                None => self.say("Its text cannot be compared with the one before."),
            },
            (None, Some(_)) => self.say("No configuration before it is recorded."),
            _ => {}
        }
    }

    fn outcome_of_the_call(&mut self) {
        if self.flag("output.refusal") == Some(true) {
            self.say("The model refused to answer.");
        }
        match (self.hit.text("error.status") == Some("error"), self.quoted("error.type")) {
            (true, Some(kind)) => self.say(format!("It ended in an error of type {kind}.")),
            (true, None) => self.say("It ended in an error."),
            // A program may meet an exception and go on.
            (false, Some(kind)) => self.say(format!("An exception of type {kind} was recorded.")),
            (false, None) => {}
        }
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
