//! Collector configurations to begin with: the files of `collector-config/`, for who has nothing but this program. The tests start each in a
//! real Collector, and `spanseal collector check` finds nothing in them.

/// A file.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What it is asked for by.
    pub name: &'static str,
    /// Its file, which it may be asked for by, too.
    pub file: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// What stands in it.
    pub text: &'static str,
}

/// All of them, the simplest first.
pub const EXAMPLES: &[Example] = &[
    Example {
        name: "minimal",
        file: "minimal.yaml",
        about: "everything to spanseal; senders are answered when it is sealed",
        text: include_str!("../../collector-config/minimal.yaml"),
    },
    Example {
        name: "agent",
        file: "agent.yaml",
        about: "beside the application: AI to spanseal, everything to the backend that you have",
        text: include_str!("../../collector-config/agent.yaml"),
    },
    Example {
        name: "gateway",
        file: "gateway.yaml",
        about: "for a fleet: spans by trace id to several replicas, logs to one, from queues on disk",
        text: include_str!("../../collector-config/gateway.yaml"),
    },
    Example {
        name: "tap",
        file: "tap.yaml",
        about: "beside pipelines that you have and do not want to touch",
        text: include_str!("../../collector-config/tap.yaml"),
    },
    Example {
        name: "tail-sampling",
        file: "tail-sampling.yaml",
        about: "tail sampling for the backend, and none for the evidence",
        text: include_str!("../../collector-config/tail-sampling.yaml"),
    },
    Example {
        name: "secure",
        file: "secure.yaml",
        about: "over a network: TLS in which both sides show a certificate, and a bearer token",
        text: include_str!("../../collector-config/secure.yaml"),
    },
    Example {
        name: "logs",
        file: "logs.yaml",
        about: "AI that speaks in logs: GenAI events, Claude Code, Codex",
        text: include_str!("../../collector-config/logs.yaml"),
    },
];
