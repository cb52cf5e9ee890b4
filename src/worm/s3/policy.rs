//! What a bucket policy says of the acts that undo write-once storage. Only the bucket's own policy can be read from here: whom identity
//! policies, organisations and the account's root allow what is not seen, so a deny for everybody is the one thing that settles a question.
//!
//! Source: "IAM JSON policy elements" and "Policy evaluation logic" (an explicit deny beats every allow).

use serde_json::Value;

/// An act that undoes, or may undo, a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// The permission.
    pub action: &'static str,
    /// What whoever has it can do.
    pub can: &'static str,
}

/// The acts that a policy of a bucket of evidence should deny.
pub const ACTS: [Act; 5] = [
    Act { action: "s3:BypassGovernanceRetention", can: "delete what is locked in GOVERNANCE" },
    Act { action: "s3:DeleteObjectVersion", can: "delete what is not locked any more, or not yet" },
    Act { action: "s3:DeleteObject", can: "hide objects behind delete markers" },
    Act { action: "s3:PutBucketObjectLockConfiguration", can: "change the bucket's default lock" },
    Act { action: "s3:PutLifecycleConfiguration", can: "have objects deleted as soon as their locks end" },
];

/// What the policy says of one act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stance {
    /// Denied to everybody on all that may be evidence.
    Denied,
    /// Denied, but not to everybody, or only under a condition.
    PartlyDenied,
    /// Allowed to everybody who can reach the bucket: the statement's name.
    AllowedToAll(String),
    /// Allowed to some: the statement's name.
    Allowed(String),
    /// Not mentioned: identity policies decide, which cannot be seen.
    Open,
}

/// Judges a policy, act by act. An error says why the text is none.
pub fn judge(policy: &str) -> Result<Vec<(Act, Stance)>, String> {
    let policy: Value = serde_json::from_str(policy).map_err(|e| format!("the bucket's policy is no JSON: {e}"))?;
    let statements = match policy.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => return Err("the bucket's policy has no `Statement`".to_owned()),
    };
    Ok(ACTS.into_iter().map(|act| (act, stance(act, &statements))).collect())
}

fn stance(act: Act, statements: &[&Value]) -> Stance {
    let about = |effect: &str| {
        let effect = effect.to_owned();
        statements.iter().filter(move |s| s.get("Effect").and_then(Value::as_str) == Some(&effect) && names(s, act.action))
    };
    // A condition may always turn out not to hold.
    let whole = |s: &&&Value| everybody(s) && s.get("Condition").is_none();
    if about("Deny").any(|s| whole(&s)) {
        return Stance::Denied;
    }
    let called = |s: &Value| s.get("Sid").and_then(Value::as_str).unwrap_or("a statement without a Sid").to_owned();
    if let Some(open) = about("Allow").find(|s| everybody(s)) {
        return Stance::AllowedToAll(called(open));
    }
    if let Some(some) = about("Allow").next() {
        return Stance::Allowed(called(some));
    }
    if about("Deny").next().is_some() { Stance::PartlyDenied } else { Stance::Open }
}

fn texts<'v>(statement: &'v Value, name: &str) -> Option<Vec<&'v str>> {
    match statement.get(name)? {
        Value::String(one) => Some(vec![one]),
        Value::Array(list) => Some(list.iter().filter_map(Value::as_str).collect()),
        _ => Some(Vec::new()),
    }
}

/// Whether a statement is about an action.
fn names(statement: &Value, action: &str) -> bool {
    match (texts(statement, "Action"), texts(statement, "NotAction")) {
        (Some(actions), _) => actions.iter().any(|pattern| fits(pattern, action)),
        (None, Some(but)) => !but.iter().any(|pattern| fits(pattern, action)),
        (None, None) => false,
    }
}

/// Whether a statement is about everybody.
fn everybody(statement: &Value) -> bool {
    match statement.get("Principal") {
        Some(Value::String(all)) => all == "*",
        Some(Value::Object(kinds)) => kinds.get("AWS").is_some_and(|aws| match aws {
            Value::String(one) => one == "*",
            Value::Array(list) => list.iter().any(|one| one == "*"),
            _ => false,
        }),
        _ => false,
    }
}

/// A pattern with `*` and `?`; permissions are the same in upper and lower case.
fn fits(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    // Where the last star stands, and how much of the action it has taken: a later star takes over from it.
    let (mut p, mut a, mut star) = (0, 0, None);
    while let Some(byte) = action.get(a) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, a));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                p += 1;
                a += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    a = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(policy: &str, action: &str) -> Stance {
        judge(policy).unwrap().into_iter().find(|(act, _)| act.action == action).unwrap().1
    }

    fn one(effect: &str, principal: &str, action: &str, more: &str) -> Stance {
        let policy =
            format!(r#"{{"Statement":{{"Sid":"S","Effect":"{effect}","Principal":{principal},"Action":{action},"Resource":"*"{more}}}}}"#);
        of(&policy, "s3:BypassGovernanceRetention")
    }

    #[test]
    fn a_deny_for_everybody_settles_it_and_nothing_less() {
        let condition = r#","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#;
        for (effect, principal, action, more, want) in [
            ("Deny", r#""*""#, r#""s3:BypassGovernanceRetention""#, "", Stance::Denied),
            ("Deny", r#"{"AWS":"*"}"#, r#""s3:*""#, "", Stance::Denied),
            ("Deny", r#"{"AWS":["arn:x","*"]}"#, r#"["s3:Get*","s3:bypass?overnance*"]"#, "", Stance::Denied),
            ("Deny", r#""*""#, r#""s3:*""#, condition, Stance::PartlyDenied),
            ("Deny", r#"{"AWS":"arn:aws:iam::1:user/a"}"#, r#""s3:*""#, "", Stance::PartlyDenied),
            ("Allow", r#""*""#, r#""s3:*""#, "", Stance::AllowedToAll("S".into())),
            ("Allow", r#"{"AWS":"arn:aws:iam::1:user/a"}"#, r#""*""#, "", Stance::Allowed("S".into())),
            ("Allow", r#""*""#, r#""s3:GetObject""#, "", Stance::Open),
            ("Deny", r#""*""#, r#""s3:BypassGovernance""#, "", Stance::Open),
        ] {
            assert_eq!(one(effect, principal, action, more), want, "{effect} {principal} {action}");
        }
        let both = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"},
            {"Effect":"Deny","Principal":"*","NotAction":["s3:Get*","s3:List*"],"Resource":"*"}]}"#;
        assert_eq!(of(both, "s3:DeleteObjectVersion"), Stance::Denied);
        assert!(judge("{}").is_err() && judge("<x/>").is_err());
    }

    /// The bucket policy that is shipped denies what it should.
    #[test]
    fn the_policy_that_is_shipped_leaves_nothing_open() {
        let shipped = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/collector-config/bucket/bucket-policy.json"));
        for (act, stance) in judge(shipped).unwrap() {
            let partly = ["s3:PutBucketObjectLockConfiguration", "s3:PutLifecycleConfiguration"].contains(&act.action);
            assert_eq!(stance, if partly { Stance::PartlyDenied } else { Stance::Denied }, "{}", act.action);
        }
    }
}
