//! What single dialects say, in shapes that no capture holds: written after their sources and the dialect study.

use super::*;
use crate::promote::testing::{log, span};

fn number(json: &Json, path: &str) -> f64 {
    match json.path(path) {
        Some(Json::Number(number)) => *number,
        other => panic!("{path}: {other:?}"),
    }
}

fn dialects(json: &Json) -> Vec<String> {
    names(json, "source.dialects")
}

/// A key of the allow-list, where it was kept.
fn kept<'j>(json: &'j Json, key: &str) -> Option<&'j Json> {
    json.get("attributes").and_then(|a| a.get(key))
}

fn derived<'j>(json: &'j Json, path: &str) -> Option<&'j str> {
    json.path("evidence.derived").and_then(|d| d.get(path)).and_then(Json::as_str)
}

mod pydantic {
    use super::*;

    /// Trap 1 of the study: words that anybody uses for anything count only below the scope of the dialect that means something by them.
    #[test]
    fn generic_words_need_their_scope() {
        let work = || {
            span(
                "work",
                &[
                    ("gen_ai.operation.name", Any::text("chat")),
                    ("final_result", Any::text("granted")),
                    ("model_name", Any::text("xgb-7")),
                    ("agent_name", Any::text("alice")),
                ],
            )
        };
        let elsewhere = one_span_of("my.app", work());
        assert_eq!(dialects(&elsewhere), ["otel_genai"]);
        assert!(elsewhere.get("model").is_none() && elsewhere.get("actor").is_none());
        assert_eq!(at(&elsewhere, "output.captured"), "absent");
        assert_eq!(at(&elsewhere, "rest.captured"), "hash");
        let here = one_span_of("pydantic-ai", work());
        assert_eq!(dialects(&here), ["otel_genai", "pydantic_ai"]);
        assert_eq!((at(&here, "model.requested"), at(&here, "actor.agent.name")), ("xgb-7", "alice"));
        assert_eq!(at(&here, "output.hash"), h("content", b"granted"));
    }

    /// Version 1: a run without an operation, and one attribute that holds question and answer.
    #[test]
    fn version_1_of_the_instrumentation() {
        let run = one_span_of(
            "pydantic-ai",
            span(
                "agent run",
                &[
                    ("model_name", Any::text("gpt-4o")),
                    ("agent_name", Any::text("claims")),
                    ("gen_ai.usage.input_tokens", Any::int(15)),
                    ("all_messages_events", Any::text(r#"[{"content":"Be brief","role":"system"},{"content":"Decide","role":"user"}]"#)),
                    ("final_result", Any::text("refer")),
                ],
            ),
        );
        assert_eq!((at(&run, "kind"), at(&run, "actor.agent.name"), at(&run, "model.requested")), ("agent", "claims", "gpt-4o"));
        assert_eq!(run.path("usage.aggregate"), Some(&Json::Bool(true)));
        assert_eq!(at(&run, "prompt.hash"), h("prompt", br#"["Be brief"]"#));
        let events =
            r#"[{"event.name":"gen_ai.user.message","content":"Decide"},{"event.name":"gen_ai.choice","message":{"content":"refer"}}]"#;
        let call = one_span_of(
            "pydantic-ai",
            span(
                "chat gpt-4o",
                &[
                    ("gen_ai.operation.name", Any::text("chat")),
                    ("gen_ai.request.model", Any::text("gpt-4o")),
                    ("events", Any::text(events)),
                ],
            ),
        );
        assert_eq!(at(&call, "input.hash"), h("content", events.as_bytes()));
        assert_eq!(at(&call, "output.hash"), h("content", events.as_bytes()));
        let tool = one_span_of(
            "pydantic-ai",
            span(
                "running tool",
                &[
                    ("gen_ai.tool.name", Any::text("get_policy")),
                    ("tool_arguments", Any::text("{\"claim\":1}")),
                    ("tool_response", Any::text("2000")),
                ],
            ),
        );
        assert_eq!((at(&tool, "kind"), at(&tool, "tool.result.hash")), ("tool", h("content", b"2000").as_str()));
    }

    /// A decision model: answers with the threshold of their type, the weakest as the record's confidence, its own token counts apart from
    /// those that the call above sums up.
    #[test]
    fn decision_models() {
        let answers = r#"{"eligible":{"type":"noul","noul":0.62},"team":{"type":"choice","choice":"claims","confidence":0.91,"probabilities":{"claims":0.91,"fraud":0.09}}}"#;
        let decide = one_span_of(
            "pydantic-ai",
            span(
                "decide",
                &[
                    ("gen_ai.operation.name", Any::text("decide")),
                    ("gen_ai.request.model", Any::text("decider-1")),
                    ("gen_ai.response.model", Any::text("decider-1-0826")),
                    ("pydantic_ai.decision.questions", Any::text(r#"{"eligible":{"type":"noul"}}"#)),
                    ("pydantic_ai.decision.state", Any::text("Meier, born 1970")),
                    ("pydantic_ai.decision.answers", Any::text(answers)),
                    ("pydantic_ai.decision.thresholds", Any::text(r#"{"boolean":0.5,"route":0.8}"#)),
                    ("pydantic_ai.decision.confidence", Any::text(r#"{"eligible":0.62}"#)),
                    ("pydantic_ai.decision.route", Any::text("claims")),
                    ("pydantic_ai.decision.route_question", Any::text("team")),
                    ("pydantic_ai.decision.usage.input_tokens", Any::int(40)),
                ],
            ),
        );
        assert_eq!((at(&decide, "kind"), at(&decide, "decision.outcome")), ("decision", "claims"));
        let expected = r#"[{"confidence":0.62,"name":"eligible","score":0.62,"threshold":0.5},{"confidence":0.91,"name":"team","outcome":"claims","threshold":0.8}]"#;
        assert_eq!(decide.path("decision.answers").unwrap().to_jcs_string(), expected);
        assert_eq!(derived(&decide, "decision.answers"), Some("fallback:pydantic_ai.decision.answers"));
        assert_eq!((number(&decide, "confidence.score"), number(&decide, "confidence.threshold")), (0.91, 0.8));
        assert_eq!((at(&decide, "confidence.of"), decide.path("confidence.threshold_met")), ("team", Some(&Json::Bool(true))));
        assert_eq!((at(&decide, "confidence.method"), derived(&decide, "confidence.method")), ("decision_model", Some("computed")));
        assert_eq!(at(&decide, "output.hash"), h("content", answers.as_bytes()));
        assert_eq!(at(&decide, "input.hash"), h("content", b"Meier, born 1970"));
        assert!(decide.get("usage").is_none());
        assert_eq!(kept(&decide, "pydantic_ai.decision.usage.input_tokens").unwrap().to_jcs_string(), r#"{"intValue":"40"}"#);
    }

    #[test]
    fn a_tool_that_waits_for_approval() {
        let waits = one_span_of(
            "pydantic-ai",
            span(
                "execute_tool pay",
                &[
                    ("gen_ai.operation.name", Any::text("execute_tool")),
                    ("gen_ai.tool.name", Any::text("pay")),
                    ("pydantic_ai.tool.deferral.name", Any::text("ApprovalRequired")),
                    ("pydantic_ai.tool.deferral.metadata", Any::text("ask alice")),
                ],
            ),
        );
        assert_eq!((at(&waits, "kind"), at(&waits, "review.status")), ("tool", "pending"));
        assert_eq!(waits.path("review.required"), Some(&Json::Bool(true)));
        assert_eq!(derived(&waits, "review.status"), Some("fallback:pydantic_ai.tool.deferral.name"));
        assert_eq!(at(&waits, "rest.hash"), h("content", b"ask alice"));
    }
}

mod strands {
    use super::*;

    /// The same name is a metric in seconds elsewhere: the unit is known only where Strands speaks.
    #[test]
    fn milliseconds_are_those_of_strands_alone() {
        let call = || span("chat", &[("gen_ai.operation.name", Any::text("chat")), ("gen_ai.server.time_to_first_token", Any::int(1329))]);
        let here = one_span_of("strands.telemetry.tracer", call());
        assert_eq!(number(&here, "time.to_first_chunk"), 1.329);
        let elsewhere = one_span_of("my.gateway", call());
        assert!(elsewhere.path("time.to_first_chunk").is_none());
        assert_eq!(at(&elsewhere, "rest.captured"), "hash");
    }

    #[test]
    fn several_agents_are_a_workflow() {
        let swarm = one_span_of(
            "strands.telemetry.tracer",
            span(
                "invoke_swarm",
                &[
                    ("gen_ai.operation.name", Any::text("invoke_swarm")),
                    ("aws.agentcore.configbundle_arn", Any::text("arn:aws:bedrock-agentcore:eu-central-1:1:bundle/b")),
                    ("aws.agentcore.configbundle_version", Any::text("7")),
                ],
            ),
        );
        assert_eq!(at(&swarm, "kind"), "workflow");
        assert_eq!(dialects(&swarm), ["otel_genai", "aws_strands", "aws_agentcore"]);
        assert_eq!(kept(&swarm, "aws.agentcore.configbundle_version").and_then(Json::as_str), Some("7"));
    }
}

mod microsoft {
    use super::*;

    /// Orchestration in generic words: below the scope it is a workflow, elsewhere it means nothing.
    #[test]
    fn orchestration_needs_its_scope() {
        let run = || {
            span(
                "workflow.run",
                &[
                    ("gen_ai.conversation.id", Any::text("c-1")),
                    ("workflow.name", Any::text("loan")),
                    ("workflow.id", Any::text("w-1")),
                    ("workflow.definition", Any::text("{\"prompt\":\"ask Meier\"}")),
                ],
            )
        };
        let here = one_span_of("agent_framework", run());
        assert_eq!((at(&here, "kind"), at(&here, "actor.workflow")), ("workflow", "loan"));
        assert_eq!(dialects(&here), ["otel_genai", "ms_agent_framework"]);
        assert_eq!(at(&here, "rest.hash"), h("content", b"{\"prompt\":\"ask Meier\"}"));
        let elsewhere = one_span_of("argo", run());
        assert_eq!((at(&elsewhere, "kind"), at(&elsewhere, "actor.workflow")), ("event", "(absent)"));
    }

    #[test]
    fn semantic_kernel() {
        let call = one_span_of(
            "semantic_kernel.utils.telemetry.model_diagnostics.decorators",
            span(
                "chat.completions gpt-4o",
                &[
                    ("gen_ai.operation.name", Any::text("chat")),
                    ("gen_ai.system", Any::text("openai")),
                    ("gen_ai.request.model", Any::text("gpt-4o")),
                    ("gen_ai.response.finish_reason", Any::text("FinishReason.STOP")),
                    ("sk.available_functions", Any::text("math-Add,math-Sub")),
                ],
            ),
        );
        assert_eq!(dialects(&call), ["otel_genai", "semantic_kernel"]);
        assert_eq!(names(&call, "output.finish_reasons"), ["FinishReason.STOP"]);
        assert_eq!(kept(&call, "sk.available_functions").and_then(Json::as_str), Some("math-Add,math-Sub"));
    }
}

mod adk {
    use super::*;

    /// Trap 9: with capture off there is no content, which is not the same as empty content; and the span that joins several tools' answers
    /// called none.
    #[test]
    fn placeholders_are_not_captured() {
        let merged = one_span_of(
            "gcp.vertex.agent",
            span(
                "execute_tool (merged tools)",
                &[
                    ("gen_ai.operation.name", Any::text("execute_tool")),
                    ("gen_ai.tool.name", Any::text("(merged tools)")),
                    ("gen_ai.tool.call.id", Any::text("ev-9")),
                    ("gcp.vertex.agent.tool_call_args", Any::text("N/A")),
                    ("gcp.vertex.agent.tool_response", Any::text("{}")),
                    ("gcp.vertex.agent.llm_request", Any::text("{}")),
                    ("gcp.vertex.agent.llm_response", Any::text("{}")),
                ],
            ),
        );
        assert_eq!((at(&merged, "kind"), at(&merged, "tool.name")), ("event", "(merged tools)"));
        assert!(merged.path("tool.arguments").is_none() && merged.path("tool.result").is_none() && merged.get("input").is_none());
        let off = one_span_of(
            "gcp.vertex.agent",
            span(
                "execute_tool pay",
                &[
                    ("gen_ai.operation.name", Any::text("execute_tool")),
                    ("gen_ai.tool.name", Any::text("pay")),
                    ("gcp.vertex.agent.tool_call_args", Any::text("{}")),
                    ("gcp.vertex.agent.tool_response", Any::text("{}")),
                ],
            ),
        );
        assert_eq!((at(&off, "kind"), at(&off, "tool.arguments.captured"), at(&off, "tool.result.captured")), ("tool", "absent", "absent"));
    }

    #[test]
    fn a_call_with_its_request_and_answer() {
        let request = r#"{"model":"gemini-2.5-flash","config":{"system_instruction":"Be brief"},"contents":[{"role":"user","parts":[{"text":"Grant?"}]}]}"#;
        let answer = r#"{"content":{"role":"model","parts":[{"text":"No."}]}}"#;
        let call = one_span_of(
            "gcp.vertex.agent",
            span(
                "call_llm",
                &[
                    ("gen_ai.system", Any::text("gcp.vertex.agent")),
                    ("gen_ai.request.model", Any::text("gemini-2.5-flash")),
                    ("gcp.vertex.agent.invocation_id", Any::text("inv-1")),
                    ("gcp.vertex.agent.session_id", Any::text("sess-1")),
                    ("gcp.vertex.agent.event_id", Any::text("ev-1")),
                    ("gcp.vertex.agent.llm_request", Any::text(request)),
                    ("gcp.vertex.agent.llm_response", Any::text(answer)),
                    ("gen_ai.usage.input_tokens", Any::int(11)),
                    ("gen_ai.usage.experimental.reasoning_tokens", Any::int(5)),
                    ("gen_ai.response.finish_reasons", Any::array(&[Any::text("stop")])),
                    ("gen_ai.main_agent.id", Any::text("loan_agent")),
                ],
            ),
        );
        assert_eq!(dialects(&call), ["otel_genai", "google_adk"]);
        assert_eq!((at(&call, "kind"), at(&call, "model.id"), at(&call, "actor.session_id")), ("inference", "gemini-2.5-flash", "sess-1"));
        assert_eq!(
            (at(&call, "input.hash"), at(&call, "output.hash")),
            (h("content", request.as_bytes()).as_str(), h("content", answer.as_bytes()).as_str())
        );
        assert_eq!((at(&call, "usage.input_tokens"), at(&call, "usage.reasoning_output_tokens")), ("11", "5"));
        assert_eq!(kept(&call, "gcp.vertex.agent.invocation_id").and_then(Json::as_str), Some("inv-1"));
        assert!(call.get("rest").is_none());
    }
}

mod haystack {
    use super::*;

    #[test]
    fn components_are_what_their_class_is_called() {
        for (class, kind) in [
            ("OpenAIChatGenerator", "inference"),
            ("InMemoryBM25Retriever", "retrieval"),
            ("SentenceTransformersTextEmbedder", "embedding"),
            ("TransformersSimilarityRanker", "rerank"),
            ("FaithfulnessEvaluator", "evaluation"),
            ("PromptBuilder", "workflow"),
        ] {
            let run = one_span_of(
                "haystack",
                span(
                    "haystack.component.run",
                    &[
                        ("haystack.component.type", Any::text(class)),
                        ("haystack.component.name", Any::text("x")),
                        ("haystack.component.input", Any::text("{\"query\":\"income\"}")),
                    ],
                ),
            );
            assert_eq!((at(&run, "kind"), dialects(&run)), (kind, vec!["haystack".to_owned()]), "{class}");
            let side = if kind == "retrieval" { "retrieval.query.hash" } else { "input.hash" };
            assert_eq!(at(&run, side), h("content", b"{\"query\":\"income\"}"), "{class}");
        }
        let step = one_span_of(
            "haystack",
            span(
                "haystack.agent.step.tool",
                &[
                    ("haystack.tool.name", Any::text("pay")),
                    ("haystack.tool.error", Any::bool(true)),
                    ("haystack.agent.step.tool.input", Any::text("{}x")),
                ],
            ),
        );
        assert_eq!((at(&step, "kind"), at(&step, "tool.name"), at(&step, "error.status")), ("tool", "pay", "error"));
    }

    /// Who confirmed is not said (some strategies ask nobody), so no human is claimed.
    #[test]
    fn a_confirmation_is_a_review() {
        let output = r#"{"tool_name":"pay","execute":false,"feedback":"too much"}"#;
        let review = one_span_of(
            "haystack",
            span(
                "haystack.agent.hook.human_in_the_loop.strategy",
                &[
                    ("haystack.tool.name", Any::text("pay")),
                    ("haystack.tool.call.id", Any::text("call-1")),
                    ("haystack.agent.hook.human_in_the_loop.strategy.type", Any::text("haystack.hooks.Blocking")),
                    ("haystack.agent.hook.human_in_the_loop.strategy.decision", Any::text("reject")),
                    ("haystack.agent.hook.human_in_the_loop.strategy.output", Any::text(output)),
                ],
            ),
        );
        assert_eq!(
            (at(&review, "kind"), at(&review, "review.decision"), at(&review, "review.status")),
            ("review", "rejected", "completed")
        );
        assert_eq!((at(&review, "tool.name"), at(&review, "tool.call_id")), ("pay", "call-1"));
        assert_eq!(at(&review, "review.reason.hash"), h("content", output.as_bytes()));
        assert!(review.path("review.reviewer").is_none());
    }
}

mod crewai {
    use super::*;

    #[test]
    fn feedback_that_was_asked_for_and_given() {
        let asked = one_span_of(
            "crewai.telemetry",
            span(
                "request human feedback",
                &[
                    ("crewai.event_name", Any::text("human_feedback_requested")),
                    ("crewai.flow.name", Any::text("LoanFlow")),
                    ("crewai.human_feedback.method_name", Any::text("approve_loan")),
                    ("crewai.human_feedback.message", Any::text("Approve A-1047 of Meier?")),
                    ("crewai.human_feedback.request_id", Any::text("r-1")),
                ],
            ),
        );
        assert_eq!((at(&asked, "kind"), at(&asked, "review.status"), at(&asked, "review.id")), ("review", "pending", "r-1"));
        assert_eq!((at(&asked, "actor.workflow"), dialects(&asked)), ("LoanFlow", vec!["crewai".to_owned()]));
        assert_eq!(at(&asked, "input.hash"), h("content", b"Approve A-1047 of Meier?"));
        assert!(asked.path("review.reviewer").is_none() && asked.path("review.decision").is_none());
        let keys = [
            ("crewai.event_name", Any::text("human_feedback_received")),
            ("crewai.human_feedback.method_name", Any::text("approve_loan")),
            ("crewai.human_feedback.feedback", Any::text("fine with me, Meier")),
            ("crewai.human_feedback.outcome", Any::text("Approved")),
        ];
        for given in
            [one_span_of("crewai.telemetry", span("receive human feedback", &keys)), one_log(log("", Any::text("said Meier"), &keys))]
        {
            assert_eq!(
                (at(&given, "kind"), at(&given, "review.decision"), at(&given, "review.status")),
                ("review", "approved", "completed")
            );
            assert_eq!(at(&given, "review.reviewer.kind"), "human");
            assert_eq!(at(&given, "review.reason.hash"), h("content", b"fine with me, Meier"));
            assert_eq!(derived(&given, "review.reviewer.kind"), Some("fallback:crewai.event_name"));
        }
    }

    #[test]
    fn guardrails_policies_memory_and_tasks() {
        let guard = one_span_of(
            "crewai.telemetry",
            span(
                "evaluate guardrail",
                &[
                    ("crewai.event_name", Any::text("llm_guardrail_completed")),
                    ("crewai.guardrail.success", Any::bool(false)),
                    ("crewai.guardrail.error", Any::text("names Meier")),
                    ("crewai.guardrail.description", Any::text("no names")),
                ],
            ),
        );
        assert_eq!((at(&guard, "kind"), at(&guard, "guardrail.outcome")), ("guardrail", "deny"));
        assert_eq!(
            (at(&guard, "error.message.hash"), at(&guard, "rest.hash")),
            (h("content", b"names Meier").as_str(), h("content", b"no names").as_str())
        );
        let policy = one_span_of(
            "crewai.telemetry",
            span(
                "policy",
                &[
                    ("crewai.event_name", Any::text("hook_dispatched")),
                    ("crewai.policy.id", Any::text("p-7")),
                    ("crewai.policy.decision", Any::text("deny")),
                    ("crewai.policy.reason", Any::text("Meier is blocked")),
                ],
            ),
        );
        assert_eq!((at(&policy, "kind"), at(&policy, "policy.id"), at(&policy, "policy.outcome")), ("event", "p-7", "deny"));
        let memory = one_span_of(
            "crewai.telemetry",
            span(
                "memory",
                &[
                    ("crewai.event_name", Any::text("memory_query_completed")),
                    ("crewai.memory.query", Any::text("Meier")),
                    ("crewai.memory.limit", Any::int(3)),
                    ("crewai.memory.results", Any::text("[{}, 1]")),
                ],
            ),
        );
        assert_eq!((at(&memory, "kind"), at(&memory, "retrieval.top_k")), ("retrieval", "3"));
        assert_eq!(at(&memory, "retrieval.query.hash"), h("content", b"Meier"));
        let task = one_span_of(
            "crewai.telemetry",
            span(
                "execute_task",
                &[
                    ("gen_ai.operation.name", Any::text("execute_task")),
                    ("crewai.event_name", Any::text("task_started")),
                    ("crewai.task.output", Any::text("granted")),
                ],
            ),
        );
        assert_eq!((at(&task, "kind"), at(&task, "output.hash")), ("workflow", h("content", b"granted").as_str()));
    }
}

mod ag2 {
    use super::*;

    #[test]
    fn human_input_is_a_review() {
        let asked = one_span_of(
            "opentelemetry.instrumentation.ag2",
            span(
                "await_human_input claims",
                &[
                    ("ag2.span.type", Any::text("human_input")),
                    ("gen_ai.operation.name", Any::text("await_human_input")),
                    ("gen_ai.agent.name", Any::text("claims")),
                    ("ag2.human_input.prompt", Any::text("Grant Meier?")),
                    ("ag2.human_input.response", Any::text("yes")),
                ],
            ),
        );
        assert_eq!((at(&asked, "kind"), at(&asked, "review.reviewer.kind"), at(&asked, "review.status")), ("review", "human", "completed"));
        assert_eq!(
            (at(&asked, "input.hash"), at(&asked, "output.hash")),
            (h("content", b"Grant Meier?").as_str(), h("content", b"yes").as_str())
        );
        assert_eq!((at(&asked, "actor.agent.name"), dialects(&asked)), ("claims", vec!["otel_genai".to_owned(), "ag2".to_owned()]));
    }

    /// Accounting of a call repeats the call's own span; that of a sub-task is the only place where its tokens stand.
    #[test]
    fn accounting_is_counted_once() {
        for (kind, again) in [("model_call", Some(&Json::Bool(true))), ("subtask", None)] {
            let usage = one_span_of(
                "opentelemetry.instrumentation.ag2",
                span(
                    "record_usage",
                    &[
                        ("ag2.span.type", Any::text("usage")),
                        ("ag2.usage.kind", Any::text(kind)),
                        ("gen_ai.response.model", Any::text("gpt-4o-2026-05-13")),
                        ("gen_ai.usage.input_tokens", Any::int(7)),
                        ("gen_ai.usage.thinking_tokens", Any::int(2)),
                        ("ag2.usage.total_tokens", Any::int(9)),
                    ],
                ),
            );
            assert_eq!(
                (at(&usage, "kind"), at(&usage, "usage.total_tokens"), at(&usage, "usage.reasoning_output_tokens")),
                ("event", "9", "2")
            );
            assert_eq!(usage.path("usage.aggregate"), again, "{kind}");
        }
    }
}

mod servers {
    use super::*;

    #[test]
    fn vllm_speaks_semconv_1_26() {
        let call = one_span_of(
            "vllm.llm_engine",
            span(
                "llm_request",
                &[
                    ("gen_ai.response.model", Any::text("Qwen/Qwen3-8B")),
                    ("gen_ai.request.id", Any::text("cmpl-9")),
                    ("gen_ai.request.temperature", Any::double(0.1)),
                    ("gen_ai.request.max_tokens", Any::int(16)),
                    ("gen_ai.usage.prompt_tokens", Any::int(5)),
                    ("gen_ai.usage.completion_tokens", Any::int(16)),
                    ("gen_ai.latency.time_in_queue", Any::double(0.0013)),
                    ("gen_ai.latency.time_to_first_token", Any::double(0.044)),
                    ("gen_ai.latency.e2e", Any::double(0.59)),
                ],
            ),
        );
        assert_eq!(dialects(&call), ["otel_genai", "vllm"]);
        assert_eq!(
            (at(&call, "kind"), at(&call, "model.id"), at(&call, "usage.input_tokens"), at(&call, "usage.output_tokens")),
            ("inference", "Qwen/Qwen3-8B", "5", "16")
        );
        assert_eq!(number(&call, "time.to_first_chunk"), 0.044);
        assert_eq!(kept(&call, "gen_ai.request.id").and_then(Json::as_str), Some("cmpl-9"));
        assert!(call.get("rest").is_none());
    }

    #[test]
    fn triton_says_which_version_of_a_classical_model() {
        let scored = one_span_of(
            "triton-server",
            span(
                "credit_pd",
                &[
                    ("triton.model_name", Any::text("credit_pd")),
                    ("triton.model_version", Any::int(12)),
                    ("triton.request_id", Any::text("r-1")),
                ],
            ),
        );
        assert_eq!((at(&scored, "kind"), dialects(&scored)), ("inference", vec!["triton".to_owned()]));
        assert_eq!(
            (at(&scored, "model.id"), at(&scored, "model.requested"), at(&scored, "model.version")),
            ("credit_pd", "credit_pd", "12")
        );
        assert!(derived(&scored, "model.version").is_none());
        assert_eq!(kept(&scored, "triton.request_id").and_then(Json::as_str), Some("r-1"));
    }
}

mod nemo {
    use super::*;

    #[test]
    fn a_request_through_the_rails() {
        let request = one_span_of(
            "nemo_guardrails",
            span(
                "guardrails.request",
                &[
                    ("gen_ai.operation.name", Any::text("guardrails")),
                    ("request.id", Any::text("q-1")),
                    ("guardrails.request.input", Any::text("my name is Meier")),
                    ("guardrails.request.output", Any::text("I cannot answer that")),
                ],
            ),
        );
        assert_eq!((at(&request, "kind"), dialects(&request)), ("guardrail", vec!["otel_genai".to_owned(), "nemo_guardrails".to_owned()]));
        assert_eq!(at(&request, "input.hash"), h("content", b"my name is Meier"));
        assert_eq!(kept(&request, "request.id").and_then(Json::as_str), Some("q-1"));
        let call = one_span_of(
            "nemo_guardrails",
            span(
                "completion gpt-4o",
                &[
                    ("gen_ai.operation.name", Any::text("completion")),
                    ("gen_ai.request.model", Any::text("gpt-4o")),
                    ("llm.cache.hit", Any::bool(true)),
                ],
            ),
        );
        assert_eq!((at(&call, "kind"), call.path("output.from_cache")), ("inference", Some(&Json::Bool(true))));
    }

    /// The keys of a rail are generic: what they say counts on a rail's span, not on another's.
    #[test]
    fn a_rail_that_stops() {
        let rail = |name| {
            one_span_of(
                "x",
                span(
                    name,
                    &[
                        ("gen_ai.operation.name", Any::text("guardrails")),
                        ("rail.name", Any::text("self check input")),
                        ("rail.type", Any::text("input")),
                        ("rail.stop", Any::bool(true)),
                        ("guardrails.rail.reason", Any::text("Meier was named")),
                    ],
                ),
            )
        };
        let stopped = rail("guardrails.rail");
        assert_eq!(
            (at(&stopped, "kind"), at(&stopped, "guardrail.name"), at(&stopped, "guardrail.outcome")),
            ("guardrail", "self check input", "deny")
        );
        assert_eq!(at(&stopped, "rest.hash"), h("content", b"Meier was named"));
        assert!(rail("train").get("guardrail").is_none());
    }
}

mod coding_agents {
    use super::*;

    const SCOPE: &str = "com.anthropic.claude_code.events";

    fn agent(scope: &str, bytes: Vec<u8>) -> Json {
        let (mut lines, _, _) = lines(&promoter(), &request(&[], (scope, "2.1"), &[bytes]), true);
        assert_eq!(lines.len(), 1);
        lines.remove(0)
    }

    /// A log without a trace: only field 12 and what is given.
    fn event(name: &str, body: &str, attributes: &[(&str, &str)]) -> Vec<u8> {
        use crate::promote::testing::{field, fixed, pair};
        let mut out = fixed(1, 1_795_187_346_000_000_000);
        if !body.is_empty() {
            out.extend(field(5, &Any::text(body).0));
        }
        attributes.iter().for_each(|(key, value)| out.extend(field(6, &pair(key.as_bytes(), &Any::text(value)))));
        if !name.is_empty() {
            out.extend(field(12, name.as_bytes()));
        }
        out
    }

    /// Trap 11: the name stands in the event name, in an attribute or in the body, with or without the agent's before it.
    #[test]
    fn the_event_name_wherever_it_stands() {
        let said = [("decision", "accept"), ("source", "user_temporary"), ("tool_name", "Bash")];
        let with = |name| [&[("event.name", name)], &said[..]].concat();
        for (scope, bytes, name) in [
            ("s", event("claude_code.tool_decision", "", &said), "claude_code.tool_decision"),
            ("s", event("", "claude_code.tool_decision", &said), "claude_code.tool_decision"),
            ("s", event("", "", &with("claude_code.tool_decision")), "claude_code.tool_decision"),
            (SCOPE, event("", "claude_code.tool_decision", &with("tool_decision")), "claude_code.tool_decision"),
            (SCOPE, event("", "", &with("tool_decision")), "tool_decision"),
            (SCOPE, event("tool_decision", "", &said), "tool_decision"),
        ] {
            let record = agent(scope, bytes);
            assert_eq!(at(&record, "source.event_name"), name);
            assert_eq!(
                (at(&record, "kind"), at(&record, "review.decision"), at(&record, "tool.name")),
                ("review", "approved", "Bash"),
                "{name}"
            );
            assert_eq!(dialects(&record), ["claude_code"]);
            assert!(record.get("rest").is_none() && record.get("trace").is_none(), "{name}");
        }
        // The bare name is anybody's below another scope.
        let (lines, tally, _) = lines(&promoter(), &request(&[], ("s", ""), &[event("tool_decision", "", &said)]), true);
        assert_eq!((lines.len(), tally.counts.skipped), (0, 1));
    }

    /// A person's decision is a review by that person, everything else's is a rule's word.
    #[test]
    fn who_decided_makes_the_review() {
        let decide = |agent_name: &str, decision: &str, source: &str| {
            let name = format!("{agent_name}.tool_decision");
            agent(
                "s",
                event(
                    &name,
                    "",
                    &[
                        ("decision", decision),
                        ("source", source),
                        ("tool_name", "Edit"),
                        ("call_id", "c-1"),
                        ("tool_use_id", "c-1"),
                        ("user.id", "u-1"),
                        ("user.account_id", "u-1"),
                    ],
                ),
            )
        };
        for (by, decision, source, expected) in [
            ("claude_code", "accept", "user_permanent", "approved"),
            ("claude_code", "reject", "user_reject", "rejected"),
            ("claude_code", "reject", "user_abort", "rejected"),
            ("codex", "approved", "User", "approved"),
            ("codex", "approved_for_session", "user", "approved"),
            ("codex", "denied", "user", "rejected"),
            ("codex", "abort", "user", "rejected"),
            ("codex", "timed_out", "user", "timed_out"),
        ] {
            let record = decide(by, decision, source);
            assert_eq!(
                (at(&record, "kind"), at(&record, "review.decision"), at(&record, "review.status")),
                ("review", expected, "completed"),
                "{by} {decision}"
            );
            assert_eq!((at(&record, "review.reviewer.kind"), at(&record, "tool.call_id")), ("human", "c-1"));
            assert_eq!(at(&record, "review.reviewer.id"), at(&record, "actor.user_id"));
            assert!(at(&record, "actor.user_id").starts_with("ps:66687aad:"));
            assert_eq!(derived(&record, "review.reviewer.id"), Some("fallback:actor.user_id"));
            assert_eq!(derived(&record, "review.decision"), Some("fallback:decision"));
            assert_eq!(
                (kept(&record, "decision").and_then(Json::as_str), kept(&record, "source").and_then(Json::as_str)),
                (Some(decision), Some(source))
            );
            assert!(record.get("policy").is_none());
        }
        for (by, decision, source, expected) in [
            ("claude_code", "accept", "config", "allow"),
            ("claude_code", "reject", "hook", "deny"),
            ("codex", "approved", "Config", "allow"),
        ] {
            let record = decide(by, decision, source);
            assert_eq!((at(&record, "kind"), at(&record, "policy.outcome")), ("event", expected), "{by} {source}");
            assert!(record.get("review").is_none());
        }
    }

    #[test]
    fn calls_of_claude_code() {
        let request = agent(
            SCOPE,
            event(
                "",
                "claude_code.api_request",
                &[
                    ("event.name", "api_request"),
                    ("event.sequence", "7"),
                    ("prompt.id", "0f0f"),
                    ("session.id", "sess-1"),
                    ("user.id", "installation-1"),
                    ("user.email", "jane.roe@example.com"),
                    ("user.account_uuid", "5b6c"),
                    ("organization.id", "org-1"),
                    ("model", "claude-sonnet-5"),
                    ("input_tokens", "12"),
                    ("output_tokens", "340"),
                    ("cache_read_tokens", "9000"),
                    ("cache_creation_tokens", "55"),
                    ("cost_usd", "0.0123"),
                    ("duration_ms", "2150"),
                    ("ttft_ms", "480"),
                    ("request_id", "req_1"),
                ],
            ),
        );
        assert_eq!((at(&request, "kind"), dialects(&request)), ("inference", vec!["claude_code".to_owned()]));
        assert_eq!(
            (at(&request, "model.requested"), at(&request, "model.id"), at(&request, "actor.session_id")),
            ("claude-sonnet-5", "claude-sonnet-5", "sess-1")
        );
        assert!(request.path("model.version").is_none() && request.path("prompt.name").is_none());
        let usage = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens", "currency"];
        assert_eq!(usage.map(|m| at(&request, &format!("usage.{m}"))), ["12", "340", "9000", "55", "USD"]);
        assert_eq!(
            (number(&request, "usage.cost"), number(&request, "time.duration_ms"), number(&request, "time.to_first_chunk")),
            (0.0123, 2150.0, 0.48)
        );
        assert!(request.path("usage.aggregate").is_none());
        assert_eq!((kept(&request, "prompt.id").and_then(Json::as_str), at(&request, "input.captured")), (Some("0f0f"), "absent"));
        let rest = br#"{"organization.id":"org-1","user.account_uuid":"5b6c","user.email":"jane.roe@example.com"}"#;
        assert_eq!(at(&request, "rest.hash"), h("content", rest));

        let refused = agent(SCOPE, event("", "claude_code.api_refusal", &[("model", "claude-sonnet-5"), ("stop_reason", "refusal")]));
        assert_eq!((at(&refused, "kind"), refused.path("output.refusal")), ("inference", Some(&Json::Bool(true))));
        assert_eq!(names(&refused, "output.finish_reasons"), ["refusal"]);
        let failed = agent(
            SCOPE,
            event(
                "",
                "claude_code.api_error",
                &[("model", "claude-sonnet-5"), ("error", "no money, Meier"), ("status_code", "429"), ("attempt", "3")],
            ),
        );
        assert_eq!((at(&failed, "kind"), at(&failed, "error.status"), at(&failed, "error.code")), ("inference", "error", "429"));
        assert_eq!(at(&failed, "error.message.hash"), h("content", b"no money, Meier"));
    }

    #[test]
    fn prompts_and_tools() {
        let prompt = agent(SCOPE, event("", "claude_code.user_prompt", &[("prompt", "fix it for Meier"), ("prompt_length", "16")]));
        assert_eq!((at(&prompt, "kind"), at(&prompt, "input.hash")), ("event", h("content", b"fix it for Meier").as_str()));
        assert!(prompt.get("output").is_none());
        for hidden in ["[REDACTED]", "<REDACTED>"] {
            let record = agent("s", event("codex.user_prompt", "", &[("prompt", hidden), ("prompt_length", "16")]));
            assert_eq!((at(&record, "kind"), at(&record, "input.captured")), ("event", "redacted"));
        }
        let ran = agent(
            SCOPE,
            event(
                "",
                "claude_code.tool_result",
                &[
                    ("tool_name", "Bash"),
                    ("tool_use_id", "toolu_1"),
                    ("success", "false"),
                    ("duration_ms", "42"),
                    ("error", "exit 1"),
                    ("error_type", "ShellError"),
                    ("tool_parameters", r#"{"bash_command":"rm"}"#),
                    ("decision_source", "config"),
                ],
            ),
        );
        assert_eq!((at(&ran, "kind"), at(&ran, "tool.name"), at(&ran, "tool.call_id")), ("tool", "Bash", "toolu_1"));
        assert_eq!((at(&ran, "error.status"), at(&ran, "error.type")), ("error", "ShellError"));
        assert_eq!(
            (at(&ran, "tool.arguments.hash"), at(&ran, "tool.result.captured")),
            (h("content", br#"{"bash_command":"rm"}"#).as_str(), "absent")
        );
        let codex = agent(
            "s",
            event(
                "codex.tool_result",
                "",
                &[("tool_name", "shell"), ("call_id", "c"), ("arguments", "{\"c\":1}"), ("output", "done"), ("success", "true")],
            ),
        );
        assert_eq!((at(&codex, "kind"), at(&codex, "tool.result.hash")), ("tool", h("content", b"done").as_str()));
        assert!(codex.path("error.status").is_none());
    }

    /// Codex says what a call cost in tokens where the answer is complete: the call itself is another event.
    #[test]
    fn calls_of_codex() {
        let request = agent(
            "s",
            event(
                "codex.api_request",
                "",
                &[("model", "gpt-5.6"), ("http.response.status_code", "200"), ("attempt", "0"), ("conversation.id", "conv-1")],
            ),
        );
        assert_eq!(
            (at(&request, "kind"), at(&request, "model.requested"), at(&request, "actor.conversation_id")),
            ("inference", "gpt-5.6", "conv-1")
        );
        let done = agent(
            "s",
            event(
                "codex.sse_event",
                "",
                &[
                    ("event.kind", "response.completed"),
                    ("input_token_count", "100"),
                    ("output_token_count", "50"),
                    ("cached_token_count", "20"),
                    ("reasoning_token_count", "7"),
                    ("user.email", "jane.roe@example.com"),
                ],
            ),
        );
        assert_eq!((at(&done, "kind"), dialects(&done)), ("event", vec!["codex".to_owned()]));
        let usage = ["input_tokens", "output_tokens", "cache_read_input_tokens", "reasoning_output_tokens"];
        assert_eq!(usage.map(|m| at(&done, &format!("usage.{m}"))), ["100", "50", "20", "7"]);
        assert!(at(&done, "actor.user_id").starts_with("ps:66687aad:"));
    }

    #[test]
    fn spans_of_claude_code() {
        let of = |name: &str, more: &[(&str, Any)]| {
            let kind = name.strip_prefix("claude_code.").unwrap();
            one_span_of(
                "com.anthropic.claude_code.tracing",
                span(name, &[&[("span.type", Any::text(kind)), ("session.id", Any::text("s-1"))], more].concat()),
            )
        };
        let turn = of("claude_code.interaction", &[("user_prompt", Any::text("fix Meier"))]);
        assert_eq!((at(&turn, "kind"), at(&turn, "input.hash")), ("agent", h("content", b"fix Meier").as_str()));
        let call = of(
            "claude_code.llm_request",
            &[("gen_ai.system", Any::text("anthropic")), ("model", Any::text("m")), ("input_tokens", Any::int(3))],
        );
        assert_eq!((at(&call, "kind"), at(&call, "usage.input_tokens"), at(&call, "model.provider")), ("inference", "3", "anthropic"));
        assert!(call.path("usage.aggregate").is_none());
        let tool = of("claude_code.tool", &[("tool_name", Any::text("Bash")), ("full_command", Any::text("rm Meier"))]);
        assert_eq!((at(&tool, "kind"), at(&tool, "tool.arguments.hash")), ("tool", h("content", b"rm Meier").as_str()));
        assert_eq!(at(&of("claude_code.tool.execution", &[]), "kind"), "event");
        let waited = of("claude_code.tool.blocked_on_user", &[("decision", Any::text("accept")), ("source", Any::text("user_temporary"))]);
        assert_eq!((at(&waited, "kind"), at(&waited, "review.decision")), ("review", "approved"));
        assert_eq!(at(&of("claude_code.tool.blocked_on_user", &[]), "kind"), "event");
    }
}

mod mcp {
    use super::*;

    /// Trap 8: chatter of the protocol is no record, and is no tool call where something else makes the span one.
    #[test]
    fn methods_that_reach_something() {
        for (method, kind) in [
            ("tools/call", Some("tool")),
            ("resources/read", Some("retrieval")),
            ("sampling/createMessage", Some("inference")),
            ("prompts/get", Some("event")),
            ("elicitation/create", Some("event")),
            ("completion/complete", Some("event")),
            ("initialize", None),
            ("ping", None),
            ("tools/list", None),
            ("notifications/progress", None),
        ] {
            let bytes = span(
                method,
                &[
                    ("mcp.method.name", Any::text(method)),
                    ("mcp.session.id", Any::text("m-1")),
                    ("mcp.resource.uri", Any::text("https://u:p@docs.example/policy?who=Meier")),
                ],
            );
            let (records, ..) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), false);
            assert_eq!(records.first().map(|r| at(r, "kind")), kind, "{method}");
            for record in &records {
                assert_eq!(
                    (at(record, "retrieval.data_source_id"), dialects(record)),
                    ("https://docs.example/policy", vec!["otel_mcp".to_owned()])
                );
                assert!(record.get("actor").is_none());
            }
        }
        let chatter =
            one_span(span("initialize", &[("mcp.method.name", Any::text("initialize")), ("gen_ai.conversation.id", Any::text("c"))]));
        assert_eq!(at(&chatter, "kind"), "event");
        let tool = one_span(span(
            "execute_tool pay",
            &[("mcp.method.name", Any::text("tools/call")), ("gen_ai.operation.name", Any::text("execute_tool"))],
        ));
        assert_eq!(at(&tool, "kind"), "tool");
    }
}

mod genai {
    use super::*;

    #[test]
    fn memory_is_searched_or_written() {
        let memory = |operation| {
            one_span(span(
                operation,
                &[
                    ("gen_ai.operation.name", Any::text(operation)),
                    ("gen_ai.memory.store.id", Any::text("mem-1")),
                    ("gen_ai.memory.query.text", Any::text("Meier")),
                    ("gen_ai.memory.records", Any::text("likes tea")),
                    ("gen_ai.memory.record.count", Any::int(1)),
                ],
            ))
        };
        let found = memory("search_memory");
        assert_eq!((at(&found, "kind"), at(&found, "retrieval.data_source_id")), ("retrieval", "mem-1"));
        assert_eq!(
            (at(&found, "retrieval.query.hash"), at(&found, "output.hash")),
            (h("content", b"Meier").as_str(), h("content", b"likes tea").as_str())
        );
        let written = memory("upsert_memory");
        assert_eq!((at(&written, "kind"), at(&written, "input.hash")), ("event", h("content", b"likes tea").as_str()));
        assert!(written.get("output").is_none());
    }

    /// A response that is read again was counted when it was made (trap 7), and says which one it continues.
    #[test]
    fn a_fetched_response() {
        let fetched = one_span(span(
            "fetch_response",
            &[
                ("gen_ai.operation.name", Any::text("fetch_response")),
                ("gen_ai.response.id", Any::text("resp_2")),
                ("gen_ai.request.previous_response.id", Any::text("resp_1")),
                ("gen_ai.request.stream_cursor", Any::text("17")),
                ("gen_ai.usage.input_tokens", Any::int(9)),
            ],
        ));
        assert_eq!((at(&fetched, "kind"), fetched.path("usage.aggregate")), ("event", Some(&Json::Bool(true))));
        let said =
            ["gen_ai.request.previous_response.id", "gen_ai.request.stream_cursor"].map(|k| kept(&fetched, k).and_then(Json::as_str));
        assert_eq!(said, [Some("resp_1"), Some("17")]);
    }

    /// Descriptions are text that somebody wrote: held, never shown.
    #[test]
    fn descriptions_are_content() {
        let tool = one_span(span(
            "execute_tool pay",
            &[
                ("gen_ai.operation.name", Any::text("execute_tool")),
                ("gen_ai.tool.description", Any::text("pays Meier")),
                ("gen_ai.agent.description", Any::text("agent of Meier")),
            ],
        ));
        assert_eq!(
            (at(&tool, "tool.definitions.hash"), at(&tool, "rest.hash")),
            (h("content", b"pays Meier").as_str(), h("content", b"agent of Meier").as_str())
        );
    }

    #[test]
    fn a_policy_rule_and_a_bedrock_guardrail() {
        let chat = one_span(span(
            "chat",
            &[
                ("gen_ai.operation.name", Any::text("chat")),
                ("security_rule.uuid", Any::text("r-7")),
                ("security_rule.version", Any::text("3")),
                ("security_rule.ruleset.name", Any::text("lending")),
                ("aws.bedrock.guardrail.id", Any::text("gr-1")),
                ("aws.bedrock.knowledge_base.id", Any::text("kb-1")),
            ],
        ));
        assert_eq!(
            ["policy.id", "policy.version", "policy.name", "guardrail.id", "retrieval.data_source_id"].map(|p| at(&chat, p)),
            ["r-7", "3", "lending", "gr-1", "kb-1"]
        );
    }
}

mod annotations {
    use super::*;

    /// A judgement after the fact, of a span, its trace or its session: by a person it is an evaluation too, since it approves nothing.
    #[test]
    fn judgements_of_people_are_evaluations() {
        for prefix in
            ["annotations.0.annotation", "evaluations.0.evaluation", "trace.annotations.0.annotation", "session.evaluations.0.evaluation"]
        {
            let key = |name: &str| format!("{prefix}.{name}");
            let keys = ["name", "label", "score", "annotator_kind", "explanation", "identifier"].map(key);
            let [name, label, score, kind, explanation, identifier] = &keys;
            let judged = one_span(span(
                "annotation",
                &[
                    ("llm.model_name", Any::text("judged")),
                    (name, Any::text("correctness")),
                    (label, Any::text("wrong")),
                    (score, Any::double(0.0)),
                    (kind, Any::text("HUMAN")),
                    (explanation, Any::text("Meier was right")),
                    (identifier, Any::text("jane.roe")),
                ],
            ));
            assert_eq!(at(&judged, "kind"), "evaluation", "{prefix}");
            let said = ["name", "label", "evaluator"].map(|m| at(&judged, &format!("evaluation.{m}")));
            assert_eq!(said, ["correctness", "wrong", "HUMAN"]);
            assert_eq!(
                (number(&judged, "evaluation.score"), at(&judged, "evaluation.explanation.hash")),
                (0.0, h("content", b"Meier was right").as_str())
            );
            assert!(judged.get("review").is_none());
            assert_eq!(at(&judged, "rest.hash"), h("content", b"jane.roe"));
        }
    }

    /// Annotations on the span of a call leave it a call.
    #[test]
    fn a_call_that_is_judged_is_a_call() {
        let call = one_span(span(
            "chat",
            &[
                ("openinference.span.kind", Any::text("LLM")),
                ("annotations.0.annotation.name", Any::text("tone")),
                ("annotations.0.annotation.score", Any::double(0.5)),
                ("annotations.1.annotation.name", Any::text("length")),
            ],
        ));
        assert_eq!((at(&call, "kind"), at(&call, "evaluation.name")), ("inference", "tone"));
        assert_eq!(at(&call, "rest.hash"), h("content", b"length"));
    }
}

mod guardrails_ai {
    use super::*;

    #[test]
    fn a_guard_and_who_called_it() {
        let guard = one_span_of(
            "guardrails-ai",
            span(
                "guard",
                &[
                    ("type", Any::text("guardrails/guard")),
                    ("guard.name", Any::text("no-names")),
                    ("validation_passed", Any::bool(false)),
                    ("number_of_reasks", Any::int(2)),
                    ("client.ip", Any::text("203.0.113.9")),
                    ("user.id", Any::text("u-1")),
                    ("organization", Any::text("Roe Ltd")),
                ],
            ),
        );
        assert_eq!((at(&guard, "kind"), dialects(&guard)), ("guardrail", vec!["guardrails_ai".to_owned()]));
        assert_eq!((at(&guard, "guardrail.name"), at(&guard, "guardrail.outcome")), ("no-names", "deny"));
        assert_eq!((at(&guard, "evidence.withheld"), at(&guard, "rest.hash")), ("1", h("content", b"Roe Ltd").as_str()));
        assert!(at(&guard, "actor.user_id").starts_with("ps:66687aad:"));
    }
}

/// A name that stands in several places is said once, and the full one is kept.
#[test]
fn a_log_event_name_is_said_once() {
    let old = one_log(log("", Any::empty(), &[("event.name", Any::text("gen_ai.user.message")), ("gen_ai.system", Any::text("openai"))]));
    assert_eq!(at(&old, "source.event_name"), "gen_ai.user.message");
    assert!(old.get("rest").is_none());
    let other = one_log(log("gen_ai.choice", Any::text("x"), &[("event.name", Any::text("mine"))]));
    assert_eq!((at(&other, "source.event_name"), at(&other, "rest.hash")), ("gen_ai.choice", h("content", b"mine").as_str()));
}
