//! What is tried against the policies: by somebody with a role's rights, on what is sealed and on objects that may be lost.

use http::Method;
use spanseal::clock::{Clock, SystemClock, UnixSeconds};

use super::roles::{DAYS_MAX, DAYS_MIN, PREFIX, document, filled, placeholders};
use super::{Scene, XMLNS};
use crate::partial_tiles::xml;
use crate::support::s3::{Kind, Raw};

/// What somebody tries, and the servers that let it through although AWS would not.
pub(super) struct Attempt {
    pub(super) who: &'static str,
    pub(super) what: String,
    pub(super) call: Raw,
    pub(super) let_through: &'static [Kind],
}

pub(super) fn in_days(days: i64) -> String {
    UnixSeconds(SystemClock.now().ceil_seconds().0 + days * 86_400).to_string()
}

pub(super) fn retention(mode: &str, until: &str) -> String {
    format!("<Retention xmlns=\"{XMLNS}\"><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

pub(super) fn hold(status: &str) -> String {
    format!("<LegalHold xmlns=\"{XMLNS}\"><Status>{status}</Status></LegalHold>")
}

/// What nobody may do to what is sealed, whoever they are.
pub(super) fn against_evidence(scene: &Scene, sealed: &str, who: &'static str) -> Vec<Attempt> {
    let attempt = |what: &str, call| Attempt { who, what: what.to_owned(), call, let_through: &[] };
    let key = sealed.split('?').next().unwrap();
    let settings = [("versioning", versioning("Suspended")), ("object-lock", default_lock()), ("lifecycle", rules(scene))];
    let mut all = vec![
        attempt("delete a version", Raw::new(Method::DELETE, sealed)),
        attempt("delete a version by bypass", Raw::new(Method::DELETE, sealed).header("x-amz-bypass-governance-retention", "true")),
        attempt("hide it behind a marker", Raw::new(Method::DELETE, key)),
        attempt("tag it", Raw::new(Method::PUT, sealed.replace('?', "?tagging=&")).body(tags())),
        attempt("shorten its lock", Raw::new(Method::PUT, sealed.replace('?', "?retention=&")).body(retention("GOVERNANCE", &in_days(5)))),
        attempt("put into another log", scene.put(&format!("/{}/{PREFIX}other/segments/x", scene.bucket), "GOVERNANCE", 35)),
        attempt("put outside every log", Raw::new(Method::PUT, format!("/{}/x", scene.bucket)).body("something")),
        attempt("set another bucket policy", Raw::new(Method::PUT, format!("/{}?policy=", scene.bucket)).body(document(&[]).to_string())),
        attempt("delete the bucket policy", Raw::new(Method::DELETE, format!("/{}?policy=", scene.bucket))),
        attempt("delete the bucket", Raw::new(Method::DELETE, format!("/{}", scene.bucket))),
    ];
    // An operator's own sort of attempt is made where it may go through.
    if who != "operator" {
        let call = Raw::new(Method::PUT, sealed.replace('?', "?retention=&")).header("x-amz-bypass-governance-retention", "true");
        all.push(attempt("shorten its lock by bypass", call.body(retention("GOVERNANCE", &in_days(5)))));
    }
    all.extend(settings.map(|(what, body)| {
        attempt(&format!("change the bucket's {what}"), Raw::new(Method::PUT, format!("/{}?{what}=", scene.bucket)).body(body))
    }));
    all
}

fn versioning(status: &str) -> String {
    format!("<VersioningConfiguration xmlns=\"{XMLNS}\"><Status>{status}</Status></VersioningConfiguration>")
}

fn default_lock() -> String {
    let rule = "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>";
    format!("<ObjectLockConfiguration xmlns=\"{XMLNS}\"><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>")
}

fn tags() -> String {
    format!("<Tagging xmlns=\"{XMLNS}\"><TagSet><Tag><Key>spanseal</Key><Value>partial</Value></Tag></TagSet></Tagging>")
}

/// The folder's lifecycle rules for the scene's bucket.
fn rules(scene: &Scene) -> String {
    let rules = filled("lifecycle.json", &placeholders(&scene.bucket, &scene.vault));
    let all: String = rules["Rules"].as_array().unwrap().iter().map(|rule| format!("<Rule>{}</Rule>", xml(rule))).collect();
    format!("<LifecycleConfiguration xmlns=\"{XMLNS}\">{all}</LifecycleConfiguration>")
}

/// What the writer's key alone may not do, though it may put and lock.
pub(super) async fn by_the_writer(scene: &Scene) -> Vec<Attempt> {
    use Kind::{Minio, Rgw};
    let attempt = |what: &str, call, let_through| Attempt { who: "writer", what: what.to_owned(), call, let_through };
    let at = |name: &str| scene.at(&format!("segments/standard/{name}"));
    let retain = |path: String, body: String, bypass: bool| {
        let call = Raw::new(Method::PUT, path.replace('?', "?retention=&")).body(body);
        if bypass { call.header("x-amz-bypass-governance-retention", "true") } else { call }
    };
    let off = format!("<Retention xmlns=\"{XMLNS}\"/>");
    let seal = scene.at("seals/00000000000000000000.json");
    vec![
        attempt(
            "shorten GOVERNANCE by bypass, not below the shortest class",
            retain(scene.locked("w1", "GOVERNANCE").await, retention("GOVERNANCE", &in_days(DAYS_MIN + 2)), true),
            &[Minio],
        ),
        attempt("take GOVERNANCE off by bypass", retain(scene.locked("w2", "GOVERNANCE").await, off.clone(), true), &[Minio]),
        attempt("take COMPLIANCE off by bypass", retain(scene.locked("w3", "COMPLIANCE").await, off, true), &[]),
        attempt(
            "lock beyond what was decided",
            retain(scene.locked("w4", "GOVERNANCE").await, retention("GOVERNANCE", &in_days(DAYS_MAX + 5)), false),
            &[Rgw],
        ),
        attempt(
            "release a hold",
            Raw::new(Method::PUT, scene.locked("w5", "GOVERNANCE").await.replace('?', "?legal-hold=&")).body(hold("OFF")),
            &[Rgw],
        ),
        attempt(
            "put evidence over evidence",
            {
                let call = Raw::new(Method::PUT, seal).header("x-amz-object-lock-mode", "GOVERNANCE");
                call.header("x-amz-object-lock-retain-until-date", in_days(35)).body("something")
            },
            &[Minio, Rgw],
        ),
        attempt("put evidence without a lock", Raw::new(Method::PUT, at("w6")).header("if-none-match", "*").body("something"), &[Rgw]),
        attempt("put evidence with too short a lock", scene.put(&at("w7"), "GOVERNANCE", 2), &[Minio, Rgw]),
        attempt("put evidence with too long a lock", scene.put(&at("w8"), "GOVERNANCE", DAYS_MAX + 5), &[Minio, Rgw]),
        attempt(
            "put evidence with a lifecycle rule's tag",
            scene.put(&at("w9"), "GOVERNANCE", 35).header("x-amz-tagging", "spanseal=partial"),
            &[Minio, Rgw],
        ),
    ]
}

/// What a role that only reads, or only looks after locks, may not do.
pub(super) async fn by_others(scene: &Scene) -> Vec<Attempt> {
    use Kind::{Minio, Rgw};
    let mut all = Vec::new();
    for who in ["reader", "auditor", "operator", "stranger"] {
        let attempt = |what: &str, call, let_through| Attempt { who, what: what.to_owned(), call, let_through };
        let spare = scene.locked(&format!("{who}-1"), "GOVERNANCE").await;
        let of = |what: &str| spare.replace('?', &format!("?{what}=&"));
        all.push(attempt("put evidence", scene.put(&scene.at(&format!("segments/standard/{who}-2")), "GOVERNANCE", 35), &[]));
        all.push(attempt("put a checkpoint", Raw::new(Method::PUT, scene.at("checkpoint")).body("something"), &[]));
        if who == "operator" {
            let far = retention("GOVERNANCE", &in_days(DAYS_MAX + 5));
            all.push(attempt("lock beyond what was decided", Raw::new(Method::PUT, of("retention")).body(far), &[Rgw]));
            let call = Raw::new(Method::PUT, of("retention")).header("x-amz-bypass-governance-retention", "true");
            all.push(attempt("shorten GOVERNANCE by bypass", call.body(retention("GOVERNANCE", &in_days(5))), &[Minio]));
        } else {
            let longer = retention("GOVERNANCE", &in_days(DAYS_MAX - 1));
            all.push(attempt("extend a lock", Raw::new(Method::PUT, of("retention")).body(longer), &[]));
            all.push(attempt("place a hold", Raw::new(Method::PUT, of("legal-hold")).body(hold("ON")), &[]));
            all.push(attempt("release a hold", Raw::new(Method::PUT, of("legal-hold")).body(hold("OFF")), &[]));
        }
        let off = Raw::new(Method::PUT, of("retention")).header("x-amz-bypass-governance-retention", "true");
        all.push(attempt("take GOVERNANCE off by bypass", off.body(format!("<Retention xmlns=\"{XMLNS}\"/>")), &[Minio]));
    }
    all
}
