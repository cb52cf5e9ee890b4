//! Guides: how an application that runs already comes to have evidence, one page a situation, for who has it before them.
//!
//! Each says what to change, what then becomes a record, what is lost or not known, and how to see it. Every configuration and every
//! snippet in them is taken out of the page and run by the tests (`tests/guides.rs`). `spanseal guide` prints them.

/// A page.
#[derive(Clone, Copy, Debug)]
pub struct Guide {
    /// What it is asked for by.
    pub name: &'static str,
    /// Whom it is for, in a line.
    pub about: &'static str,
    /// Markdown, without links into this documentation.
    pub text: &'static str,
}

/// All of them, in the order in which they are best read.
pub const GUIDES: &[Guide] = &[
    Guide { name: "sdk", about: "straight from an OpenTelemetry SDK: Python, JavaScript, Rust", text: include_str!("guides/sdk.md") },
    Guide {
        name: "collector",
        about: "behind an OpenTelemetry Collector, beside the backend that you have",
        text: include_str!("guides/collector.md"),
    },
    Guide { name: "langfuse", about: "next to Langfuse", text: include_str!("guides/langfuse.md") },
    Guide { name: "phoenix", about: "next to Phoenix, or whatever else takes OpenInference", text: include_str!("guides/phoenix.md") },
    Guide { name: "mlflow", about: "next to MLflow", text: include_str!("guides/mlflow.md") },
    Guide { name: "litellm", about: "behind LiteLLM, the library or the proxy", text: include_str!("guides/litellm.md") },
    Guide { name: "vercel-ai", about: "from the Vercel AI SDK", text: include_str!("guides/vercel-ai.md") },
    Guide { name: "coding-agents", about: "from Claude Code, Codex and Gemini CLI", text: include_str!("guides/coding-agents.md") },
    Guide { name: "sampling", about: "what sampling, limits and queues do to evidence", text: include_str!("guides/sampling.md") },
];

#[doc = include_str!("guides/sdk.md")]
pub mod sdk {}
#[doc = include_str!("guides/collector.md")]
pub mod collector {}
#[doc = include_str!("guides/langfuse.md")]
pub mod langfuse {}
#[doc = include_str!("guides/phoenix.md")]
pub mod phoenix {}
#[doc = include_str!("guides/mlflow.md")]
pub mod mlflow {}
#[doc = include_str!("guides/litellm.md")]
pub mod litellm {}
#[doc = include_str!("guides/vercel-ai.md")]
pub mod vercel_ai {}
#[doc = include_str!("guides/coding-agents.md")]
pub mod coding_agents {}
#[doc = include_str!("guides/sampling.md")]
pub mod sampling {}
