//! The policies of `collector-config/bucket`, filled in and given to users of a real server.
//!
//! A server that is not AWS's knows fewer actions and condition keys, and takes no policy with one that it does not know. What is left out for
//! that is told, so that nobody takes a green test for a proof of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flate2::Crc;
use http::Method;
use serde_json::{Map, Value, json};

use crate::support::s3::{Kind, Raw, S3Server, User};

/// Below the store's prefix.
pub(crate) const LOG: &str = "spanseal";
pub(crate) const PREFIX: &str = "evidence/";
/// Whole days of the locks that the writer may set.
pub(crate) const DAYS_MIN: i64 = 29;
pub(crate) const DAYS_MAX: i64 = 40;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("collector-config/bucket")
}

/// A file of the folder with its placeholders filled in.
pub(crate) fn filled(file: &str, known: &BTreeMap<&'static str, String>) -> Value {
    let text = std::fs::read_to_string(folder().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let text = known.iter().fold(text, |text, (name, meant)| text.replace(&format!("${{{name}}}"), meant));
    assert!(!text.contains("${"), "{file} has a placeholder that nothing fills in: {text}");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// What stands for what, for a bucket and a vault. The ARNs are of the server's users.
pub(crate) fn placeholders(bucket: &str, vault: &str) -> BTreeMap<&'static str, String> {
    let arn = |role: &str| format!("arn:aws:iam:::user/{}", user(bucket, role).access_key);
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1";
    BTreeMap::from([
        ("BUCKET", bucket.to_owned()),
        ("PREFIX", PREFIX.to_owned()),
        ("LOG", LOG.to_owned()),
        ("VAULT_BUCKET", vault.to_owned()),
        ("VAULT_PREFIX", "vault/".to_owned()),
        ("KMS_KEY_ARN", key.to_owned()),
        ("VAULT_KMS_KEY_ARN", key.to_owned()),
        ("WRITER_ARN", arn("writer")),
        ("OPERATOR_ARN", arn("operator")),
        ("ADMIN_ARN", arn("admin")),
        ("RETENTION_DAYS_MIN", DAYS_MIN.to_string()),
        ("RETENTION_DAYS_MAX", DAYS_MAX.to_string()),
    ])
}

/// The user of this server who has that role for that bucket.
pub(crate) fn user(bucket: &str, role: &str) -> User {
    User::new(&format!("{bucket}-{role}"))
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    }
}

/// A condition as operator, key, value.
fn conditions(statement: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (operator, asked) in statement["Condition"].as_object().into_iter().flatten() {
        all.extend(asked.as_object().unwrap().iter().map(|(key, value)| (operator.clone(), key.clone(), value.clone())));
    }
    all
}

const PRINCIPAL: &str = "aws:PrincipalArn";

/// What a server's parser does not take.
fn unknown(kind: Kind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        Kind::Minio => (&["s3:if-none-match"], &["s3:PutBucketAcl", "s3:PutBucketOwnershipControls", "s3:PutBucketPublicAccessBlock"]),
        // Ceph takes any key, and never has a value for these: asked whether it is absent, it always is.
        _ => (
            &["s3:if-none-match", "s3:object-lock-mode", "s3:object-lock-retain-until-date", "s3:object-lock-legal-hold"],
            &[
                "s3:PutEncryptionConfiguration",
                "s3:PutBucketOwnershipControls",
                "s3:GetEncryptionConfiguration",
                "s3:ReplicateObject",
                "s3:ReplicateDelete",
                "s3:ReplicateTags",
            ],
        ),
    }
}

/// Statements as this server takes them, and what that leaves out.
pub(crate) struct Adapted {
    pub(crate) statements: Vec<Value>,
    pub(crate) left_out: Vec<String>,
}

/// `bucket` for `NotResource` where only a bucket's own policy may have it.
pub(crate) fn adapted(policy: &Value, kind: Kind, bucket: &str) -> Adapted {
    let (keys, actions) = unknown(kind);
    let (mut statements, mut left_out) = (Vec::new(), Vec::new());
    for statement in policy["Statement"].as_array().unwrap() {
        let sid = statement["Sid"].as_str().unwrap();
        let mut tell = |what: &str| left_out.push(format!("{sid}: {what}"));
        let all = texts(&statement["Action"]);
        if all.iter().all(|action| action.starts_with("kms:")) {
            tell("no keys of a key service here");
            continue;
        }
        if conditions(statement).iter().any(|(_, key, _)| key == "aws:SecureTransport") {
            continue; // These tests speak plain HTTP; a test of its own has it.
        }
        let mut own = statement.clone();
        let known: Vec<&String> = all.iter().filter(|action| !actions.contains(&action.as_str())).collect();
        all.iter().filter(|action| actions.contains(&action.as_str())).for_each(|action| tell(&format!("without the action {action}")));
        if known.is_empty() {
            continue;
        }
        own["Action"] = json!(known);
        let mut condition = Map::new();
        let mut undecided = false;
        for (operator, key, value) in conditions(statement) {
            if key == PRINCIPAL && kind == Kind::Rgw {
                own.as_object_mut().unwrap().remove("Principal");
                own["NotPrincipal"] = json!({"AWS": texts(&value)});
                tell("NotPrincipal instead of aws:PrincipalArn");
            } else if key == PRINCIPAL {
                tell("for everybody, without aws:PrincipalArn");
            } else if keys.contains(&key.as_str()) {
                tell(&format!("without the condition key {key}"));
                undecided = true;
            } else {
                condition.entry(operator).or_insert_with(|| json!({}))[&key] = value;
            }
        }
        // A denial without its condition would deny everything, a permission without it permits too much.
        if undecided && statement["Effect"] == "Deny" {
            tell("left out altogether");
            continue;
        }
        own.as_object_mut().unwrap().remove("Condition");
        if !condition.is_empty() {
            own["Condition"] = Value::Object(condition);
        }
        if kind == Kind::Minio && own.as_object_mut().unwrap().remove("NotResource").is_some() {
            own["Resource"] = json!(format!("arn:aws:s3:::{bucket}/*"));
            tell("for all of the bucket, without NotResource");
        }
        statements.push(own);
    }
    Adapted { statements, left_out }
}

pub(crate) fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Makes users, each with one policy.
pub(crate) async fn make_users(server: &S3Server, users: &[(User, Value)]) {
    match server.kind {
        Kind::Minio => {
            let policies: Map<String, Value> = users.iter().map(|(user, policy)| (user.access_key.clone(), policy.clone())).collect();
            let keys: Map<String, Value> = users
                .iter()
                .map(|(user, _)| (user.access_key.clone(), json!({"secretKey": user.secret_key, "status": "enabled"})))
                .collect();
            let given: Map<String, Value> = users
                .iter()
                .map(|(user, _)| {
                    (user.access_key.clone(), json!({"version": 1, "policy": user.access_key, "updatedAt": "2026-01-01T00:00:00Z"}))
                })
                .collect();
            let files = [("policies", policies), ("users", keys), ("user_mappings", given)];
            let files = files.map(|(name, text)| (format!("iam-assets/{name}.json"), Value::Object(text).to_string()));
            server.raw(Raw::new(Method::PUT, "/minio/admin/v3/import-iam").body(zip(&files))).await.expect_ok();
        }
        _ => {
            for (user, policy) in users {
                let User { access_key, secret_key } = user;
                let path =
                    format!("/admin/user?access-key={access_key}&display-name={access_key}&secret-key={secret_key}&uid={access_key}");
                server.raw(Raw::new(Method::PUT, path)).await.expect_ok();
                let policy = escaped(&policy.to_string());
                let path = format!("/?Action=PutUserPolicy&PolicyDocument={policy}&PolicyName=role&UserName={access_key}");
                // Without it Ceph does not look at the query.
                server.raw(Raw::new(Method::POST, path).unsigned_header("content-length", "0")).await.expect_ok();
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// An archive of files that are stored as they are: the one form in which MinIO takes users without a tool of its own.
fn zip(files: &[(String, String)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let mut sum = Crc::new();
        sum.update(text.as_bytes());
        let size = u32::try_from(text.len()).unwrap().to_le_bytes();
        // Version 2.0, no flags, stored, no time; then sum, sizes, length of the name, no extra field.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend([sum.sum().to_le_bytes(), size, size].concat());
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        let at = u32::try_from(out.len()).unwrap().to_le_bytes();
        out.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), text.as_bytes()].concat());
        // Made by version 2.0; after the common part no comment, disk 0, no attributes, and where it lies.
        directory.extend([b"PK\x01\x02\x14\x00", common.as_slice(), &[0; 10], &at, name.as_bytes()].concat());
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let (size, at) = (u32::try_from(directory.len()).unwrap().to_le_bytes(), u32::try_from(out.len()).unwrap().to_le_bytes());
    out.extend([directory.as_slice(), b"PK\x05\x06\0\0\0\0", &count, &count, &size, &at, &[0, 0]].concat());
    out
}
