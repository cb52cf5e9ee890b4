//! What a bucket policy says of the acts that undo write-once storage. Only the bucket's own policy can be read from here: whom identity
//! policies, organisations and the account's root allow what is not seen, so a deny for everybody is the one thing that settles a question.
//!
//! Source: "IAM JSON policy elements" and "Policy evaluation logic" (an explicit deny beats every allow).

use serde_json::Value;

use crate::worm::canary::CANARY_PREFIX;

/// An act that undoes, or may undo, a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// The permission.
    pub action: &'static str,
    /// What whoever has it can do.
    pub can: &'static str,
    /// To what it is done.
    pub on: On,
    /// Whether somebody has to have it: a writer, an operator or an admin.
    pub needed: bool,
}

/// To what an act is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The bucket.
    Bucket,
    /// What lies in it.
    Objects,
}

/// The acts that a policy of a bucket of evidence should deny.
pub const ACTS: [Act; 9] = [
    Act { action: "s3:BypassGovernanceRetention", can: "delete what is locked in GOVERNANCE", on: On::Objects, needed: false },
    Act { action: "s3:DeleteObjectVersion", can: "delete what is not locked any more, or not yet", on: On::Objects, needed: false },
    Act { action: "s3:DeleteObject", can: "hide objects behind delete markers", on: On::Objects, needed: false },
    Act { action: "s3:PutObjectRetention", can: "change locks, as far as the store lets anybody", on: On::Objects, needed: true },
    Act { action: "s3:PutObjectLegalHold", can: "take legal holds off", on: On::Objects, needed: true },
    Act { action: "s3:PutBucketObjectLockConfiguration", can: "change the bucket's default lock", on: On::Bucket, needed: true },
    Act { action: "s3:PutLifecycleConfiguration", can: "have objects deleted as soon as their locks end", on: On::Bucket, needed: true },
    Act { action: "s3:PutBucketPolicy", can: "put another policy in the place of this one", on: On::Bucket, needed: true },
    Act { action: "s3:DeleteBucketPolicy", can: "take this policy away", on: On::Bucket, needed: true },
];

/// What the policy says of one act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stance {
    /// Denied to everybody on all that may be evidence.
    Denied,
    /// The same, but to these.
    DeniedBut(Vec<String>),
    /// Denied, but not to everybody, not on all that may be evidence, or only under a condition.
    PartlyDenied,
    /// Allowed to everybody who can reach the bucket: the statement's name.
    AllowedToAll(String),
    /// Allowed to some, or under a condition: the statement's name.
    Allowed(String),
    /// Not mentioned: identity policies decide, which cannot be seen.
    Open,
}

/// Where evidence lies.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// Name of the bucket.
    pub bucket: &'p str,
    /// What the keys in it begin with.
    pub prefix: &'p str,
}

impl Place<'_> {
    /// What the resources of an act begin with.
    fn base(self, on: On) -> String {
        match on {
            On::Bucket => self.bucket.to_owned(),
            On::Objects => format!("{}/{}", self.bucket, self.prefix),
        }
    }

    /// Whether a resource means all that an act may be done to.
    fn is_covered(self, resource: &str, on: On) -> bool {
        let fits = fits_exactly(resource, &self.base(on));
        fits && (on == On::Bucket || resource.ends_with('*'))
    }

    /// Whether a resource may mean some of it.
    fn is_touched(self, resource: &str, on: On) -> bool {
        let base = self.base(on);
        let literal = resource.split(['*', '?']).next().unwrap_or_default();
        match on {
            On::Bucket => fits_exactly(resource, &base),
            On::Objects => literal.starts_with(&base) || literal.len() < resource.len() && base.starts_with(literal),
        }
    }

    /// Whether a resource means canaries alone, which are no evidence.
    fn is_canaries(self, resource: &str) -> bool {
        resource.starts_with(&format!("{}{CANARY_PREFIX}", self.base(On::Objects)))
    }

    /// Whether a statement means all that an act may be done to.
    fn is_all(self, statement: &Value, on: On) -> bool {
        match (texts(statement, "Resource"), texts(statement, "NotResource")) {
            (Some(named), _) => named.iter().any(|arn| self.is_covered(resource(arn), on)),
            (None, Some(but)) => but.iter().map(|arn| resource(arn)).all(|but| self.is_canaries(but) || !self.is_touched(but, on)),
            (None, None) => false,
        }
    }

    /// Whether a statement means some of it.
    fn is_some(self, statement: &Value, on: On) -> bool {
        match (texts(statement, "Resource"), texts(statement, "NotResource")) {
            (Some(named), _) => named.iter().map(|arn| resource(arn)).any(|named| !self.is_canaries(named) && self.is_touched(named, on)),
            (None, Some(but)) => !but.iter().any(|arn| self.is_covered(resource(arn), on)),
            (None, None) => false,
        }
    }
}

/// What an ARN names, without the partition and the service.
fn resource(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).unwrap_or(arn)
}

/// Judges a policy, act by act. An error says why the text is none.
pub fn judge(policy: &str, place: Place<'_>) -> Result<Vec<(Act, Stance)>, String> {
    let policy: Value = serde_json::from_str(policy).map_err(|e| format!("the bucket's policy is no JSON: {e}"))?;
    let statements = match policy.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => return Err("the bucket's policy has no `Statement`".to_owned()),
    };
    Ok(ACTS.into_iter().map(|act| (act, stance(act, place, &statements))).collect())
}

fn stance(act: Act, place: Place<'_>, statements: &[&Value]) -> Stance {
    let about = |effect: &str| {
        let effect = effect.to_owned();
        let is_of = move |s: &&&Value| s.get("Effect").and_then(Value::as_str) == Some(&effect);
        statements.iter().filter(is_of).filter(|s| names(s, act.action) && place.is_some(s, act.on))
    };
    let whole = |s: &Value| everybody(s) && place.is_all(s, act.on);
    // A condition may always turn out not to hold.
    let always = |s: &Value| s.get("Condition").is_none();
    if about("Deny").any(|s| whole(s) && always(s)) {
        return Stance::Denied;
    }
    let called = |s: &Value| s.get("Sid").and_then(Value::as_str).unwrap_or("a statement without a Sid").to_owned();
    if let Some(open) = about("Allow").find(|s| everybody(s) && always(s)) {
        return Stance::AllowedToAll(called(open));
    }
    if let Some(some) = about("Allow").next() {
        return Stance::Allowed(called(some));
    }
    if let Some(but) = about("Deny").filter(|s| whole(s)).find_map(|s| excepted(s)) {
        return Stance::DeniedBut(but);
    }
    if about("Deny").next().is_some() { Stance::PartlyDenied } else { Stance::Open }
}

/// Whom a denial leaves out, where its only condition is who asks.
fn excepted(statement: &Value) -> Option<Vec<String>> {
    let conditions = statement.get("Condition")?.as_object()?;
    let (operator, asked) = conditions.iter().next().filter(|_| conditions.len() == 1)?;
    if !matches!(operator.as_str(), "ArnNotLike" | "ArnNotEquals" | "StringNotLike" | "StringNotEquals") {
        return None;
    }
    let (key, _) = asked.as_object().filter(|keys| keys.len() == 1)?.iter().next()?;
    if !key.eq_ignore_ascii_case("aws:PrincipalArn") {
        return None;
    }
    let named = texts(asked, key)?;
    // Who is anybody is no exception.
    (!named.is_empty() && !named.contains(&"*")).then(|| named.into_iter().map(str::to_owned).collect())
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

/// A pattern of permissions, which are the same in upper and lower case.
fn fits(pattern: &str, action: &str) -> bool {
    fits_exactly(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

/// A pattern with `*` and `?`.
fn fits_exactly(pattern: &str, action: &str) -> bool {
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

    const PLACE: Place<'_> = Place { bucket: "audit", prefix: "prod/" };

    fn of(policy: &str, action: &str) -> Stance {
        judge(policy, PLACE).unwrap().into_iter().find(|(act, _)| act.action == action).unwrap().1
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
            ("Allow", r#""*""#, r#""s3:*""#, condition, Stance::Allowed("S".into())),
            ("Allow", r#"{"AWS":"arn:aws:iam::1:user/a"}"#, r#""*""#, "", Stance::Allowed("S".into())),
            ("Allow", r#""*""#, r#""s3:GetObject""#, "", Stance::Open),
            ("Deny", r#""*""#, r#""s3:BypassGovernance""#, "", Stance::Open),
        ] {
            assert_eq!(one(effect, principal, action, more), want, "{effect} {principal} {action}");
        }
        let both = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"},
            {"Effect":"Deny","Principal":"*","NotAction":["s3:Get*","s3:List*"],"Resource":"*"}]}"#;
        assert_eq!(of(both, "s3:DeleteObjectVersion"), Stance::Denied);
        assert!(judge("{}", PLACE).is_err() && judge("<x/>", PLACE).is_err());
    }

    /// What a statement is about counts: one on other objects, or on another bucket, denies nothing here and opens nothing here.
    #[test]
    fn a_statement_is_about_what_it_names() {
        let judged = |effect: &str, about: &str, action: &str| {
            of(&format!(r#"{{"Statement":{{"Sid":"S","Effect":"{effect}","Principal":"*","Action":"s3:*",{about}}}}}"#), action)
        };
        const DELETE: &str = "s3:DeleteObjectVersion";
        const POLICY: &str = "s3:PutBucketPolicy";
        for (about, object, bucket) in [
            (r#""Resource":"*""#, "all", "all"),
            (r#""Resource":["arn:aws:s3:::audit","arn:aws:s3:::audit/*"]"#, "all", "all"),
            (r#""Resource":"arn:aws-cn:s3:::audit/*""#, "all", "none"),
            (r#""Resource":"arn:aws:s3:::audit/prod/*""#, "all", "none"),
            (r#""Resource":"arn:aws:s3:::aud*""#, "all", "all"),
            (r#""Resource":"arn:aws:s3:::audit/prod/log/seals/*""#, "some", "none"),
            (r#""Resource":"arn:aws:s3:::audit/*/seals/1""#, "some", "none"),
            (r#""Resource":"arn:aws:s3:::audit/Prod/*""#, "none", "none"),
            (r#""Resource":"arn:aws:s3:::audit/public/*""#, "none", "none"),
            (r#""Resource":"arn:aws:s3:::audit/prod/_doctor/*""#, "none", "none"),
            (r#""Resource":"arn:aws:s3:::other/*""#, "none", "none"),
            (r#""NotResource":"arn:aws:s3:::audit/prod/_doctor/*""#, "all", "all"),
            (r#""NotResource":"arn:aws:s3:::audit/public/*""#, "all", "all"),
            (r#""NotResource":["arn:aws:s3:::audit/prod/*/tile/*"]"#, "some", "all"),
            (r#""NotResource":"arn:aws:s3:::audit/*""#, "none", "all"),
        ] {
            for (action, want) in [(DELETE, object), (POLICY, bucket)] {
                let (deny, allow) = match want {
                    "all" => (Stance::Denied, Stance::AllowedToAll("S".into())),
                    "some" => (Stance::PartlyDenied, Stance::AllowedToAll("S".into())),
                    _ => (Stance::Open, Stance::Open),
                };
                assert_eq!(judged("Deny", about, action), deny, "deny {action} {about}");
                assert_eq!(judged("Allow", about, action), allow, "allow {action} {about}");
            }
        }
    }

    /// Whom a denial leaves out is said, where that is all that it depends on.
    #[test]
    fn who_is_left_out_of_a_denial_is_named() {
        let but = |condition: &str| one("Deny", r#""*""#, r#""s3:*""#, &format!(r#","Condition":{condition}"#));
        let admin = Stance::DeniedBut(vec!["arn:aws:iam::1:role/admin".into()]);
        assert_eq!(but(r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::1:role/admin"}}"#), admin);
        assert_eq!(but(r#"{"StringNotEquals":{"aws:principalarn":["arn:aws:iam::1:role/admin"]}}"#), admin);
        for condition in [
            r#"{"ArnNotLike":{"aws:PrincipalArn":"*"}}"#,
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::1:role/admin"}}"#,
            r#"{"ArnNotLike":{"aws:SourceArn":"arn:aws:iam::1:role/admin"}}"#,
            r#"{"ArnNotLike":{"aws:PrincipalArn":"a"},"Bool":{"aws:SecureTransport":"false"}}"#,
        ] {
            assert_eq!(but(condition), Stance::PartlyDenied, "{condition}");
        }
    }

    /// The bucket policy that is shipped denies what it should.
    #[test]
    fn the_policy_that_is_shipped_leaves_nothing_open() {
        let shipped = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/collector-config/bucket/bucket-policy.json"));
        let place = Place { bucket: "${BUCKET}", prefix: "${PREFIX}" };
        for (act, stance) in judge(shipped, place).unwrap() {
            let who: &[&str] = match (act.needed, act.on) {
                (false, _) => &[],
                (true, On::Objects) => &["${WRITER_ARN}", "${OPERATOR_ARN}"],
                (true, On::Bucket) => &["${ADMIN_ARN}"],
            };
            let who: Vec<String> = who.iter().map(|who| (*who).to_owned()).collect();
            assert_eq!(stance, if who.is_empty() { Stance::Denied } else { Stance::DeniedBut(who) }, "{}", act.action);
        }
    }
}
