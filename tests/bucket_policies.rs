//! The policies in `collector-config/bucket` on real servers: each role can do what it is for and nothing of what would harm evidence.
//!
//! Not run against AWS. What MinIO and Ceph do not know, or know and do not enforce, is said aloud, and a test fails when that changes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::erase::{ALICE, SUBJECT, send, span};
use crate::partial_tiles::xml;
use crate::support::receiver::{Finished, Options, Site};
use crate::support::s3::{Bucket, Kind, Raw, S3Server, User};
use crate::support::{runtime, tools};

mod attempts;
mod roles;
use attempts::{Attempt, against_evidence, by_others, by_the_writer, hold, in_days, retention};
use roles::{Adapted, LOG, PREFIX, adapted, document, filled, folder, make_users, placeholders, user};

const XMLNS: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const SAID: &str = "WHAT-WAS-SAID";
/// Files of the folder and who has them, by role.
const ROLES: [(&str, &[&str]); 5] = [
    ("writer", &["writer.json", "vault-writer.json"]),
    ("reader", &["reader.json"]),
    ("content", &["reader.json", "vault-reader.json"]),
    ("auditor", &["auditor.json"]),
    ("operator", &["operator.json", "vault-writer.json"]),
];

/// A log in a bucket whose users have the folder's policies, with one sealed span.
struct Scene {
    server: &'static S3Server,
    bucket: String,
    vault: String,
    site: Site,
    /// The configuration of who has no business with the vault.
    apart: PathBuf,
    told: BTreeSet<String>,
}

impl Scene {
    fn new(server: &'static S3Server) -> Scene {
        let (bucket, vault) =
            runtime().block_on(async { (server.fresh_bucket(Bucket::Locked).await, server.fresh_bucket(Bucket::Plain).await) });
        let more = |content: &str| format!("{content}retention: {{classes: [{{name: standard, mode: GOVERNANCE, period: 30d}}]}}");
        let content = format!("content: {{vault: {{url: 's3://{vault}/vault'}}}}\n");
        let site = Site::with(Options {
            store: format!("s3://{bucket}/evidence"),
            more: more(&content),
            env: server.environment_of(user(&bucket, "writer")).into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            ..Options::default()
        });
        let apart = site.path("apart.yaml");
        let yaml = std::fs::read_to_string(&site.config).unwrap();
        assert!(yaml.contains(&content));
        std::fs::write(&apart, yaml.replace(&content, "")).unwrap();
        let mut scene = Scene { server, bucket, vault, site, apart, told: BTreeSet::new() };
        scene.give();
        scene
    }

    /// Makes the users and sets the bucket's policies.
    fn give(&mut self) {
        let known = placeholders(&self.bucket, &self.vault);
        let (kind, bucket) = (self.server.kind, self.bucket.clone());
        let mut take = |file: &str, bucket: &str| {
            let Adapted { statements, left_out } = adapted(&filled(file, &known), kind, bucket);
            self.told.extend(left_out.into_iter().map(|what| format!("{file}, {what}")));
            statements
        };
        let mut users: Vec<(User, Value)> = Vec::new();
        for (role, files) in ROLES {
            let statements: Vec<Value> = files.iter().flat_map(|file| take(file, &bucket)).collect();
            users.push((user(&bucket, role), document(&statements)));
        }
        let (of_bucket, of_vault) = (take("bucket-policy.json", &bucket), take("vault-bucket-policy.json", &self.vault));
        let everything = json!({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]});
        runtime().block_on(async {
            if kind == Kind::Minio {
                // It asks a bucket's policy of nobody who has signed: here it is that of somebody who may otherwise do everything.
                let denied = of_bucket.into_iter().chain(of_vault).map(|mut statement| {
                    statement.as_object_mut().unwrap().remove("Principal");
                    statement
                });
                let statements: Vec<Value> = std::iter::once(everything).chain(denied).collect();
                users.push((user(&bucket, "stranger"), document(&statements)));
                make_users(self.server, &users).await;
            } else {
                users.push((user(&bucket, "admin"), document(&[everything])));
                make_users(self.server, &users).await;
                for (bucket, statements) in [(&bucket, of_bucket), (&self.vault, of_vault)] {
                    let call = Raw::new(Method::PUT, format!("/{bucket}?policy=")).body(document(&statements).to_string());
                    self.server.raw(call).await.expect_ok();
                }
            }
        });
    }

    /// Who has that role. On Ceph the stranger is the bucket's own owner.
    fn user(&self, who: &str) -> User {
        if who == "stranger" && self.server.kind == Kind::Rgw { User::root() } else { user(&self.bucket, who) }
    }

    fn at(&self, key: &str) -> String {
        format!("/{}/{PREFIX}{LOG}/{key}", self.bucket)
    }

    /// A call that puts what is locked for so many days, create-only.
    fn put(&self, path: &str, mode: &str, days: i64) -> Raw {
        Raw::new(Method::PUT, path)
            .header("if-none-match", "*")
            .header("x-amz-object-lock-mode", mode)
            .header("x-amz-object-lock-retain-until-date", in_days(days))
            .body("something")
    }

    async fn ask(&self, who: &str, call: Raw) -> (StatusCode, String) {
        let answer = self.server.raw_as(self.user(who), call).await;
        (answer.status, answer.body)
    }

    /// Paths of all versions below a prefix of the log; a delete marker is a failure.
    async fn versions(&self, prefix: &str) -> Vec<String> {
        let prefix = format!("{PREFIX}{LOG}/{prefix}").replace('/', "%2F");
        let call = Raw::new(Method::GET, format!("/{}?prefix={prefix}&versions=", self.bucket));
        let listed = self.server.raw(call).await.expect_ok().body;
        assert!(!listed.contains("<DeleteMarker>") && listed.contains("<IsTruncated>false</IsTruncated>"), "{listed}");
        let within = |text: &str, name: &str| text.split(&format!("<{name}>")).nth(1).unwrap().split("</").next().unwrap().to_owned();
        let path = |version: &str| format!("/{}/{}?versionId={}", self.bucket, within(version, "Key"), within(version, "VersionId"));
        listed.split("<Version>").skip(1).map(path).collect()
    }

    /// An object that the writer has just put below `segments/`, with its version.
    async fn locked(&self, name: &str, mode: &str) -> String {
        let key = format!("segments/standard/{name}");
        let (status, body) = self.ask("writer", self.put(&self.at(&key), mode, 35)).await;
        assert!(status.is_success(), "the writer cannot put {key}: {status} {body}");
        self.versions(&key).await.remove(0)
    }

    /// Tries all; fails unless what is refused is refused and what is let through is let through.
    async fn expect(&mut self, attempts: Vec<Attempt>) {
        let kind = self.server.kind;
        let mut wrong = Vec::new();
        for Attempt { who, what, call, let_through } in attempts {
            let (status, body) = self.ask(who, call).await;
            // AWS's own answer, MinIO's to a change of a lock, and Ceph's to a retention without a mode.
            let worded = ["InvalidRequest", "MalformedXML"].iter().any(|code| body.contains(&format!("<Code>{code}</Code>")));
            let refused = status == StatusCode::FORBIDDEN || status == StatusCode::BAD_REQUEST && worded;
            let passes = let_through.contains(&kind);
            if (passes && !status.is_success()) || (!passes && !refused) {
                wrong
                    .push(format!("{who}: {what}: {status}, expected it to be {}: {body}", if passes { "let through" } else { "refused" }));
            }
            if passes {
                self.told.insert(format!("NOT ENFORCED: {who}: {what}"));
            }
        }
        assert!(wrong.is_empty(), "{kind:?}:\n{}", wrong.join("\n"));
    }

    /// Past the harness's capture: what a green run has not shown must be seen too.
    fn tell(&self) {
        let mut text = format!("\n{:?}, of the policies in collector-config/bucket:\n", self.server.kind);
        self.told.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
}

/// Scenario: `serve` runs with the writer's policies alone and seals what was said; a reader, a reader of content, an auditor and an operator
/// come with theirs, and on Ceph the bucket has its own policy. Guarantee: each can do its work; none of them, and nobody else, can delete,
/// hide, shorten, overwrite or unlock what is sealed, nor change the bucket, but for what the server is known to let through.
fn every_role(server: &'static S3Server) {
    let mut scene = Scene::new(server);
    let kind = server.kind;
    let receiver = scene.site.serve();
    send(&receiver, &[span(1, 1, SAID, &[(SUBJECT, ALICE)])]);
    assert!(receiver.stop().success());
    let trace = format!("{:032x}", 1);

    for (who, config) in [("reader", &scene.apart), ("auditor", &scene.apart), ("content", &scene.site.config), ("operator", &scene.apart)]
    {
        let run = |arguments: &[&str]| scene.site.run_as(server.environment_of(scene.user(who)), config, arguments);
        let verified: Value = serde_json::from_str(&run(&["verify", "--json"]).success().stdout).unwrap();
        assert_eq!((&verified["verdict"], &verified["locks"]), (&json!("verified"), &json!("checked")), "{kind:?} {who}: {verified}");
        assert!(run(&["query", "--kind", "inference"]).success().stdout.contains("inference"), "{kind:?} {who}");
    }
    let content = |who: &str| {
        scene.site.run_as(server.environment_of(scene.user(who)), &scene.site.config, &["show", &trace, "--content", "--unrecorded"])
    };
    let shown = content("content").success();
    assert!(shown.stdout.contains(SAID), "{kind:?} {shown}");
    for who in ["reader", "auditor"] {
        let shown = content(who);
        assert!(!shown.status.success() && !shown.stdout.contains(SAID), "{kind:?} {who}: {shown}");
    }
    let doctor = scene.site.run_as(server.environment_of(scene.user("operator")), &scene.site.config, &["doctor"]).success();
    for words in
        ["deleting the locked version was refused", "shortening the lock was refused", "what is written there can be deleted again"]
    {
        assert!(doctor.stdout.contains(words), "{kind:?} {doctor}");
    }

    runtime().block_on(async {
        let all = scene.versions("segments/standard/").await;
        let sealed = all[0].clone();
        for who in ["writer", "reader", "auditor", "operator", "stranger"] {
            let attempts = against_evidence(&scene, &sealed, who);
            scene.expect(attempts).await;
        }
        assert_eq!(scene.versions("segments/standard/").await, all, "{kind:?}: the segments are not as they were");
        let (status, lock) = scene.ask("auditor", Raw::new(Method::GET, sealed.replace('?', "?retention=&"))).await;
        let until = lock.split("<RetainUntilDate>").nth(1).and_then(|rest| rest.get(..10)).unwrap_or_default();
        assert!(status.is_success() && *until >= *in_days(29), "{kind:?}: {status} {lock}");

        let held = scene.locked("held", "GOVERNANCE").await;
        let of = |what: &str| held.replace('?', &format!("?{what}=&"));
        let longer = |days| Raw::new(Method::PUT, of("retention")).body(retention("GOVERNANCE", &in_days(days)));
        for (who, call) in [
            ("writer", longer(36)),
            ("operator", longer(38)),
            ("operator", Raw::new(Method::PUT, of("legal-hold")).body(hold("ON"))),
            ("operator", Raw::new(Method::PUT, of("legal-hold")).body(hold("OFF"))),
            ("auditor", Raw::new(Method::GET, format!("/{}?versioning=", scene.bucket))),
            ("auditor", Raw::new(Method::GET, format!("/{}?object-lock=", scene.bucket))),
        ] {
            let (status, body) = scene.ask(who, call).await;
            assert!(status.is_success(), "{kind:?}: {who} is refused its own work: {status} {body}");
        }

        let mut attempts = by_the_writer(&scene).await;
        attempts.extend(by_others(&scene).await);
        scene.expect(attempts).await;
    });
    scene.tell();
}

#[test]
fn roles_on_minio() {
    if let Some(server) = S3Server::minio() {
        every_role(server);
    }
}

#[test]
fn roles_on_ceph() {
    if let Some(server) = S3Server::rgw() {
        every_role(server);
    }
}

/// Scenario: somebody who may do everything, but for the bucket policy's first statement, comes by plain HTTP. Guarantee: refused.
#[tokio::test]
async fn plain_http_is_refused() {
    let Some(server) = S3Server::minio() else { return };
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let policy = filled("bucket-policy.json", &placeholders(&bucket, "vault"));
    let mut first = policy["Statement"][0].clone();
    assert_eq!(first["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
    first.as_object_mut().unwrap().remove("Principal");
    let everything = json!({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]});
    let (plain, free) = (user(&bucket, "plain"), user(&bucket, "free"));
    make_users(server, &[(plain.clone(), document(&[everything.clone(), first])), (free.clone(), document(&[everything]))]).await;
    let get = || Raw::new(Method::GET, format!("/{bucket}?versions="));
    server.raw_as(free, get()).await.expect_ok();
    assert_eq!(server.raw_as(plain, get()).await.status, StatusCode::FORBIDDEN);
}

/// Scenario: the folder's lifecycle rules are set on a bucket. Guarantee: both servers take them as they are, MinIO but for the one about
/// unfinished uploads, which it ends by itself.
#[tokio::test]
async fn lifecycle_rules_are_taken() {
    for server in [S3Server::minio(), S3Server::rgw()].into_iter().flatten() {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let text = filled("lifecycle.json", &placeholders(&bucket, "vault"));
        let (uploads, taken): (Vec<&Value>, Vec<&Value>) =
            text["Rules"].as_array().unwrap().iter().partition(|rule| !rule["AbortIncompleteMultipartUpload"].is_null());
        let put = |rules: &[&Value]| {
            let all: String = rules.iter().map(|rule| format!("<Rule>{}</Rule>", xml(rule))).collect();
            let body = format!("<LifecycleConfiguration xmlns=\"{XMLNS}\">{all}</LifecycleConfiguration>");
            server.raw(Raw::new(Method::PUT, format!("/{bucket}?lifecycle=")).body(body))
        };
        if server.kind == Kind::Minio {
            assert_eq!(put(&uploads).await.status, StatusCode::BAD_REQUEST, "MinIO takes rules for uploads now: give it all of them");
            put(&taken).await.expect_ok();
        } else {
            put(&[taken.clone(), uploads].concat()).await.expect_ok();
        }
        let set = server.raw(Raw::new(Method::GET, format!("/{bucket}?lifecycle="))).await.expect_ok().body;
        for rule in taken {
            assert!(set.contains(&format!("<ID>{}</ID>", rule["ID"].as_str().unwrap())), "{:?}: {set}", server.kind);
        }
    }
}

/// Guarantee: every file of the folder is used by the Terraform text, explained by the folder's README and well formed; each statement has a
/// name of its own that says what it is for, and names its actions.
#[test]
fn every_file_is_named_used_and_well_formed() {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let (readme, terraform) = (read("README.md"), read("main.tf"));
    let mut names: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 11, "{names:?}");
    for name in names.iter().filter(|name| *name != "README.md") {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not explain {name}");
        let Some(stem) = name.strip_suffix(".json") else { continue };
        assert!(stem == "lifecycle" || terraform.contains(name.as_str()), "main.tf does not use {name}");
        let policy = filled(name, &placeholders("bucket", "vault"));
        let mut sids = BTreeSet::new();
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(sid.bytes().all(|b| b.is_ascii_alphanumeric()) && sids.insert(sid), "{name}: `{sid}`");
            assert!(
                !statement["Action"].is_null() && (statement["Resource"].is_null() != statement["NotResource"].is_null()),
                "{name}: {sid}"
            );
            assert_eq!(statement["Principal"].is_null(), !stem.contains("bucket-policy"), "{name}: {sid}");
        }
    }
    // The rules of both are the same; Terraform only adds those of each class.
    let rules = filled("lifecycle.json", &placeholders("bucket", "vault"));
    for rule in rules["Rules"].as_array().unwrap() {
        let id = rule["ID"].as_str().unwrap();
        assert!(terraform.contains(&format!("\"{id}")), "main.tf has no rule {id}");
    }
}

/// Guarantee: `main.tf` is what Terraform reads, in its own format. Its resources are checked against no provider: none can be had by name.
#[test]
fn terraform_reads_the_text() {
    let mut command = Command::new("terraform");
    command.args(["fmt", "-check", "-diff"]).arg(folder()).env("CHECKPOINT_DISABLE", "1");
    if Command::new("terraform").arg("version").output().is_err() {
        return tools::skip("terraform", "main.tf by `terraform fmt`", "terraform is not installed", "install terraform");
    }
    Finished::of(command).success();
}

/// Scenario: the folder's policies of roles are given to a session by MinIO's security token service, as they are and without what the folder's
/// README says to leave out. Guarantee: what it says is so: as they are none is taken; without those statements all but the writer's are.
#[tokio::test]
async fn what_minio_takes_as_the_policy_of_a_session() {
    let Some(server) = S3Server::minio() else { return };
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let anybody = user(&bucket, "anybody");
    let everything = json!({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]});
    make_users(server, &[(anybody.clone(), document(&[everything]))]).await;
    let asked = async |policy: &Value| {
        let role = "arn:aws:iam::111122223333:role/any";
        let form = [("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", role), ("RoleSessionName", "session")];
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form).append_pair("Policy", &policy.to_string());
        let call =
            Raw::new(Method::POST, "/").header("content-type", "application/x-www-form-urlencoded").service("sts").body(body.finish());
        let answer = server.raw_as(anybody.clone(), call).await;
        (answer.status, answer.body)
    };
    let known = placeholders(&bucket, "vault");
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let left_out = ["EncryptCanariesAndDecrypt", "NoCanaryIsLockedForLonger"];
    assert!(left_out.iter().all(|sid| readme.contains(&format!("`{sid}`"))));
    for (file, taken) in
        [("operator.json", true), ("reader.json", true), ("auditor.json", true), ("vault-reader.json", true), ("writer.json", false)]
    {
        let whole = filled(file, &known);
        let (status, said) = asked(&whole).await;
        assert!(
            status == StatusCode::BAD_REQUEST && said.contains("InvalidParameterValue"),
            "{file} is taken now, so say so: {status} {said}"
        );
        let kept = |statement: &&Value| {
            let of_keys = statement["Action"].to_string().contains("kms:");
            !of_keys && !left_out.contains(&statement["Sid"].as_str().unwrap())
        };
        let statements: Vec<Value> = whole["Statement"].as_array().unwrap().iter().filter(kept).cloned().collect();
        let (status, said) = asked(&document(&statements)).await;
        assert_eq!(status.is_success(), taken, "{file}: {status} {said}");
    }
}
