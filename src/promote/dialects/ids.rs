//! Names of dialects, as the dialect study and `source.dialects` spell them.

use crate::promote::rules::nearest;

macro_rules! dialects {
    ($($variant:ident = $id:literal,)+) => {
        /// A vocabulary of attributes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Dialect { $($variant),+ }

        impl Dialect {
            /// All, in the order of their bits.
            pub(crate) const ALL: &[(Dialect, &str)] = &[$((Dialect::$variant, $id)),+];
        }
    };
}

dialects! {
    OtelGenai = "otel_genai",
    Openinference = "openinference",
    AiAudit = "ai_audit",
    Traceloop = "traceloop",
    VercelAi = "vercel_ai",
    Litellm = "litellm",
    Langfuse = "langfuse",
    PydanticAi = "pydantic_ai",
    Mlflow = "mlflow",
    OtelAuditDraft = "otel_audit_draft",
    Langsmith = "langsmith",
    GoogleAdk = "google_adk",
    MsA365 = "ms_a365",
    Traceai = "traceai",
    AzureAi = "azure_ai",
    Crewai = "crewai",
    ClaudeCode = "claude_code",
    Openlit = "openlit",
    Logfire = "logfire",
    AwsStrands = "aws_strands",
    OtelCore = "otel_core",
    Agentops = "agentops",
    NemoGuardrails = "nemo_guardrails",
    Ag2 = "ag2",
    Laminar = "laminar",
    Vllm = "vllm",
    Triton = "triton",
    OtelMcp = "otel_mcp",
    SemanticKernel = "semantic_kernel",
    Haystack = "haystack",
    Agenta = "agenta",
    Livekit = "livekit",
    Mastra = "mastra",
    OtelA2a = "otel_a2a",
    MsAgentFramework = "ms_agent_framework",
    AwsAgentcore = "aws_agentcore",
    Weave = "weave",
    Genkit = "genkit",
    Codex = "codex",
    GuardrailsAi = "guardrails_ai",
    Braintrust = "braintrust",
    AwsBedrock = "aws_bedrock",
    Splunk = "splunk",
    AdHoc = "ad_hoc",
    Voltagent = "voltagent",
    SpringAi = "spring_ai",
    Flue = "flue",
    OtelUtilGenai = "otel_util_genai",
}

impl Dialect {
    /// As `source.dialects` spells it.
    pub(crate) fn id(self) -> &'static str {
        Dialect::ALL.iter().find(|(dialect, _)| *dialect == self).map_or("", |(_, id)| *id)
    }

    #[expect(clippy::as_conversions, reason = "the discriminant of an enum with fewer than 64 variants")]
    fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

/// A set of dialects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dialects(u64);

impl Dialects {
    /// Every dialect.
    pub(crate) const ALL: Dialects = Dialects(u64::MAX);

    /// Whether it is in the set.
    #[inline]
    pub(crate) fn has(self, dialect: Dialect) -> bool {
        self.0 & dialect.bit() != 0
    }

    /// Whether the set is empty.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds one.
    #[inline]
    pub(crate) fn add(&mut self, dialect: Dialect) {
        self.0 |= dialect.bit();
    }

    /// Adds all of another set.
    pub(crate) fn join(&mut self, other: Dialects) {
        self.0 |= other.0;
    }

    /// What both hold.
    pub(crate) fn both(self, other: Dialects) -> Dialects {
        Dialects(self.0 & other.0)
    }

    /// The ids of its members.
    pub(crate) fn ids(self) -> impl Iterator<Item = &'static str> {
        Dialect::ALL.iter().filter(move |(d, _)| self.has(*d)).map(|(_, id)| *id)
    }

    /// The set named by a configuration; an unknown id is refused with the nearest known one.
    pub(crate) fn parse(ids: &[String]) -> Result<Dialects, String> {
        let mut set = Dialects::default();
        for id in ids {
            match Dialect::ALL.iter().find(|(_, known)| known == id) {
                Some((dialect, _)) => set.add(*dialect),
                None => {
                    let nearest = nearest(id, Dialect::ALL.iter().map(|(_, known)| *known));
                    return Err(format!("promotion.dialects: `{id}` is no dialect; did you mean `{nearest}`?"));
                }
            }
        }
        Ok(set)
    }
}

impl FromIterator<Dialect> for Dialects {
    fn from_iter<I: IntoIterator<Item = Dialect>>(dialects: I) -> Self {
        let mut set = Dialects::default();
        dialects.into_iter().for_each(|d| set.add(d));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_into_the_set_and_are_parsed() {
        assert!(Dialect::ALL.len() <= 64);
        let set = Dialects::parse(&["openinference".into(), "ai_audit".into()]).unwrap();
        assert_eq!(set.ids().collect::<Vec<_>>(), ["openinference", "ai_audit"]);
        let refused = Dialects::parse(&["open_inference".into()]).unwrap_err();
        assert!(refused.contains("did you mean `openinference`"), "{refused}");
    }
}
