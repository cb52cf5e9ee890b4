//! What a place lets in. Everything else stays out, whatever it looks like.

use super::*;

fn place(text: &str) -> Place {
    Place::parse(text).unwrap()
}

/// Guarantee: only a plain path below the very bytes of the place is let in.
#[test]
fn a_reference_is_within_only_if_it_is_written_plainly_below_the_place() {
    let web = place("https://content.example.com/genai/");
    assert_eq!(web.within("https://content.example.com/genai/2026/a%20b-1.json"), Some("2026/a%20b-1.json"));
    assert_eq!(web.within("https://content.example.com/genai/a;v=1/b..c"), Some("a;v=1/b..c"));
    for outside in [
        "https://content.example.com/genai/",
        "https://content.example.com/genai",
        "https://content.example.com/genaix/a",
        "https://content.example.com/other/a",
        "https://content.example.com/genai/../admin",
        "https://content.example.com/genai/a/../../admin",
        "https://content.example.com/genai/./a",
        "https://content.example.com/genai/a//b",
        "https://content.example.com/genai/a/",
        "https://content.example.com/genai//admin",
        "https://content.example.com/genai/..;/admin",
        "https://content.example.com/genai/..;x=1/admin",
        "https://content.example.com/genai/%2e%2e/admin",
        "https://content.example.com/genai/%2E./admin",
        "https://content.example.com/genai/a%2f..%2f..%2fadmin",
        "https://content.example.com/genai/%252e%252e/admin",
        "https://content.example.com/genai/..%5cadmin",
        "https://content.example.com/genai/a%00",
        "https://content.example.com/genai/a%0d%0aHost:x",
        "https://content.example.com/genai/a%",
        "https://content.example.com/genai/a%zz",
        "https://content.example.com/genai/..\\admin",
        "https://content.example.com/genai/a?redirect=x",
        "https://content.example.com/genai/a#x",
        "https://content.example.com/genai/a\tb",
        "https://content.example.com/genai/a b",
        "https://content.example.com/genai/\u{e4}",
        "https://content.example.com/genai/\u{ff0e}\u{ff0e}/admin",
        "https://user@content.example.com/genai/a",
        "https://user:word@content.example.com/genai/a",
        "https://content.example.com:443/genai/a",
        "https://content.example.com:8443/genai/a",
        "https://content.example.com@169.254.169.254/genai/a",
        "https://content.example.com.evil.example/genai/a",
        "https://CONTENT.example.com/genai/a",
        "HTTPS://content.example.com/genai/a",
        "http://content.example.com/genai/a",
        "//content.example.com/genai/a",
        " https://content.example.com/genai/a",
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "file:///etc/passwd",
        "s3://content/genai/a",
    ] {
        assert_eq!(web.within(outside), None, "{outside}");
    }
    let long = |bytes: usize| format!("https://content.example.com/genai/{}", "a".repeat(bytes - 34));
    assert_eq!((long(4096).len(), web.within(&long(4096)).is_some(), web.within(&long(4097))), (4096, true, None));
}

#[test]
fn names_of_files_and_keys_are_taken_as_they_stand() {
    let folder = place("file:///srv/genai/");
    assert_eq!(folder.within("file:///srv/genai/day 1/a%2e.json"), Some("day 1/a%2e.json"));
    let bucket = place("s3://content/genai/");
    assert_eq!(bucket.within("s3://content/genai/a@b/c+d.json"), Some("a@b/c+d.json"));
    assert_eq!(place("s3://content/").within("s3://content/a"), Some("a"));
    for outside in [
        "file:///srv/genai/../key",
        "file:///srv/genai/a/./b",
        "file:///srv/genai/a\0b",
        "file:///srv/genai/a?b",
        "file://localhost/srv/genai/a",
    ] {
        assert_eq!(folder.within(outside), None, "{outside}");
    }
    for outside in ["s3://content/genai/../x", "s3://other/genai/a", "s3://content/genai", "s3://content/genai/a/", "s3://content/other/a"]
    {
        assert_eq!(bucket.within(outside), None, "{outside}");
    }
}

/// Guarantee: a place that would let in more than an operator means is refused, in words that say what to write.
#[test]
fn a_wrong_place_says_what_to_write() {
    for (text, word) in [
        ("content", "write s3://bucket/folder/"),
        ("gs://content/a/", "`gs` is no scheme"),
        ("https://content.example.com", "does not end in a slash"),
        ("s3://content/genai", "does not end in a slash"),
        ("https://user:word@content.example.com/", "has credentials"),
        ("https://content.example.com/?a/", "a query or a fragment"),
        ("https://content.example.com/#/", "a query or a fragment"),
        ("https://Content.example.com/", "write `https://content.example.com/`"),
        ("https://content.example.com:443/", "write `https://content.example.com/`"),
        ("https://content.example.com/a/../", "write `https://content.example.com/`"),
        ("http://content.example.com/", "plain HTTP"),
        ("http://169.254.169.254/latest/", "plain HTTP"),
        ("https://169.254.169.254/latest/", "hand out credentials"),
        ("https://[fe80::1]/", "hand out credentials"),
        ("https://[fd00:ec2::254]/", "hand out credentials"),
        ("https://[::ffff:a9fe:a9fe]/", "hand out credentials"),
        ("https://0.0.0.0/", "hand out credentials"),
        ("https://", "not a URL"),
        ("https:///", "not a URL"),
        ("s3://Content/", "bucket name"),
        ("s3://content//a/", "two slashes"),
        ("file:///", "the whole file system"),
        ("file://./a/", "file:///folder/"),
        ("file:///srv/../etc/", "without `.` and `..`"),
        ("file://host/srv/", "file:///folder/"),
    ] {
        match Place::parse(text) {
            Err(why) => assert!(why.contains(word), "{text}: {why}"),
            Ok(place) => panic!("{text}: {place:?}"),
        }
    }
    // In decimals the same address: the parser of URLs reads it, so it is written otherwise than it is sent.
    assert!(Place::parse("https://2852039166/").unwrap_err().contains("written otherwise"));
    for good in [
        "https://content.example.com/",
        "https://10.0.0.7:8443/a/",
        "http://127.0.0.1:9000/a/",
        "http://localhost/",
        "s3://content/a/b/",
        "file:///srv/a/",
    ] {
        assert_eq!(place(good).to_string(), good);
    }
}
