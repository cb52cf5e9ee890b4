//! Tokens by themselves: those that OpenSSL made are read, and nothing that was changed or made up is.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use rcgen::{CustomExtension, KeyPair, date_time_ymd};
use sha2::{Digest, Sha384};
use spanseal::clock::UnixSeconds;
use spanseal::timestamp::{
    Accuracy, Nonce, Reply, Roots, TOKEN_BYTES_MAX, TokenError, Trust, claim, read_reply, request, verify, verify_reply,
};
use spanseal::tlog::Hash;

use crate::support::token::{
    Authority, INFO_IMPRINT, INFO_TIME, INFO_VERSION, Parts, SHA256, granted, issued, only_timestamping, signing_certificate, tlv,
};
use crate::support::tsa;

/// Made by OpenSSL: `make.sh` in the folder.
fn golden(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/timestamps").join(name)).unwrap()
}

fn stamped() -> Hash {
    Hash::of(&golden("stamped.txt"))
}

fn roots() -> Roots {
    Roots::from_pem(&golden("root.pem")).unwrap()
}

/// Tokens of RSA and both curves, by a direct and an intermediate certificate, with both kinds of `signingCertificate`.
#[test]
fn tokens_of_another_implementation_are_verified() {
    for (name, authority) in [("rsa", "tsa-rsa"), ("rsa-sha512-v1", "tsa-rsa"), ("p256", "tsa-p256"), ("p384", "tsa-p384")] {
        let stamp = verify(&golden(&format!("{name}.tsr")), stamped(), &roots()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(stamp.trust, Trust::Trusted { root: "O=spanseal tests, CN=root".into() }, "{name}");
        assert_eq!(stamp.authority, format!("O=spanseal tests, CN={authority}"), "{name}");
        assert_eq!(stamp.accuracy, Accuracy(Some(Duration::from_micros(1_500_100))), "{name}");
        assert!(stamp.at.rfc3339().starts_with("2026-11-21T14:3"), "{name}: {}", stamp.at.rfc3339());
        assert_eq!(stamp.not_later_than(), UnixSeconds(i64::try_from((stamp.at.0 + 1_500_100_000).div_ceil(1_000_000_000)).unwrap()));
        assert_eq!(claim(&golden(&format!("{name}.tsr"))).unwrap().imprint, Some(stamped()));
    }
    let Ok(Reply::Token(token)) = read_reply(&golden("rsa.response")) else { panic!() };
    assert_eq!(token, golden("rsa.tsr"));
    let Ok(Reply::Refused { status: 2, reason }) = read_reply(&golden("rejected.response")) else { panic!() };
    assert_eq!(reason, "Message digest algorithm is not supported.; badAlg");
}

/// Whom one trusts, and for what: without roots, with those of somebody else, over another text, over another kind of hash, by a key that is too short.
#[test]
fn what_a_token_does_not_say_is_not_believed() {
    let p256 = golden("p256.tsr");
    assert_eq!(verify(&p256, stamped(), &Roots::default()).unwrap().trust, Trust::NoRoots);
    let strangers = Roots::from_pem(&golden("stranger.pem")).unwrap();
    assert!(matches!(verify(&p256, stamped(), &strangers).unwrap().trust, Trust::Unknown { .. }));
    assert!(!verify(&golden("of-a-stranger.tsr"), stamped(), &roots()).unwrap().is_trusted());
    assert!(verify(&golden("of-a-stranger.tsr"), stamped(), &strangers).unwrap().is_trusted());
    let mut both = roots();
    both.join(strangers);
    assert!(verify(&golden("of-a-stranger.tsr"), stamped(), &both).unwrap().is_trusted());
    let other = Hash::of(b"another checkpoint");
    assert_eq!(verify(&p256, other, &roots()), Err(TokenError::Foreign { expected: other, found: stamped().to_string() }));
    let of_sha512 = verify(&golden("of-sha512.tsr"), stamped(), &roots());
    assert!(matches!(of_sha512, Err(TokenError::Foreign { .. })), "{of_sha512:?}");
    assert_eq!(claim(&golden("of-sha512.tsr")).unwrap().imprint, None);
    // 1024 bits.
    assert!(verify(&golden("small.tsr"), stamped(), &roots()).is_err());
    // A whole answer is no token.
    assert!(matches!(verify(&golden("rsa.response"), stamped(), &roots()), Err(TokenError::Malformed(_))));
    let nonce = Nonce::new([1; 8]);
    assert!(matches!(verify_reply(&p256, stamped(), &roots(), Some(&nonce)), Err(TokenError::Unsound(why)) if why.contains("nonce")));
    for bad in [&b""[..], b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Roots::from_pem(bad).is_err());
    }
}

/// Every byte of a token is covered by something: with each bit flipped, with each byte cut off or added, it is no trusted token of this text.
#[test]
fn no_changed_byte_is_believed() {
    let roots = roots();
    let is_believed = |token: &[u8]| verify(token, stamped(), &roots).is_ok_and(|stamp| stamp.is_trusted());
    for (name, bits) in [("p256.tsr", 8), ("p384.tsr", 1), ("rsa.tsr", 1), ("rsa-sha512-v1.tsr", 1)] {
        let token = golden(name);
        assert!(is_believed(&token), "{name}");
        for offset in 0..token.len() {
            for bit in (0..8).filter(|bit| bits == 8 || *bit == offset % 8) {
                let mut changed = token.clone();
                changed[offset] ^= 1 << bit;
                assert!(!is_believed(&changed), "{name}: byte {offset}, bit {bit}");
            }
            assert!(!is_believed(&token[..offset]), "{name}: cut at {offset}");
        }
        assert!(!is_believed(&[token.as_slice(), &[0]].concat()), "{name}: a byte more");
    }
}

const AT: &str = "20270115080010Z";
const OVER: Hash = Hash([5; 32]);

fn judged(authority: &Authority, change: impl FnOnce(&mut Parts)) -> Result<bool, TokenError> {
    let token = authority.token_with(OVER.0, AT, change);
    verify(&token, OVER, &Roots::from_pem(authority.root_pem.as_bytes()).unwrap()).map(|stamp| stamp.is_trusted())
}

/// SHA-256 as an algorithm with these parameters.
fn with_parameters(parameters: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&SHA256[2..], parameters])
}

/// The maker of false tokens makes a true one too, and what may vary varies.
#[test]
fn a_token_made_by_hand_holds_where_nothing_is_false() {
    let authority = Authority::honest();
    assert_eq!(judged(&authority, |_| {}), Ok(true));
    assert_eq!(judged(&authority, |p| p.info[INFO_TIME] = tlv(0x18, &[b"20270115080010.125Z"])), Ok(true));
    // Accuracy, ordering, nonce, tsa and an extension that is not critical.
    let more = [&[0x30, 3, 2, 1, 1][..], &[1, 1, 0xff], &[2, 1, 5], &[0xa0, 2, 0x82, 0], &[0xa1, 9, 0x30, 7, 6, 3, 0x2a, 3, 4, 4, 0]];
    assert_eq!(judged(&authority, |p| p.info.extend(more.map(<[u8]>::to_vec))), Ok(true));
    // A further certificate, which no signature covers and nobody needs.
    assert_eq!(judged(&authority, |p| p.certificates.push(Authority::honest().certificate)), Ok(true));
    // NULL as the parameters of a hash.
    let null = with_parameters(&[5, 0]);
    assert_eq!(judged(&authority, |p| p.info[INFO_IMPRINT] = tlv(0x30, &[&null, &tlv(4, &[&OVER.0])])), Ok(true));
    assert_eq!(judged(&authority, |p| p.digests = [null.clone(), null.clone()]), Ok(true));
    // Thirty-two attributes.
    let many = (0..29).map(|n| tlv(0x30, &[&[6, 3, 0x2a, 3, n], &tlv(0x31, &[&[5, 0]])])).collect();
    assert_eq!(judged(&authority, |p| p.more = many), Ok(true));
    // An attribute that nobody asks for.
    let signing_time = [0x30, 28, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 5, 0x31, 15, 0x17, 13];
    assert_eq!(judged(&authority, |p| p.more.push([&signing_time[..], b"270115080010Z"].concat())), Ok(true));
}

/// Everything here is signed by an authority that is trusted, and is not what RFC 3161 and RFC 5652 demand.
#[test]
fn what_a_trusted_authority_signed_falsely_is_refused() {
    type Change = fn(&mut Parts);
    let changes: [(&str, Change); 42] = [
        ("two signers", |p| p.signers = 2),
        ("no signer", |p| p.signers = 0),
        ("SignedData version 1", |p| p.version = 1),
        ("TSTInfo version 2", |p| p.info[INFO_VERSION] = vec![2, 1, 2]),
        ("a content type besides TSTInfo", |p| p.content_type = vec![6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 1]),
        ("the digest of something else", |p| p.digest = Some(vec![0; 32])),
        ("the hash of another certificate", |p| p.named = vec![0; 32]),
        ("no certificate", |p| p.certificates.clear()),
        ("another's certificate", |p| p.certificates = vec![Authority::honest().certificate]),
        ("another's serial number", |p| p.signer.1 = tlv(0x30, &[&issued(&p.certificates[0]).0, &[2, 1, 8]])),
        ("attributes out of order", |p| p.sorted = false),
        ("contentType twice", |p| {
            let attribute = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 3];
            p.more.push(tlv(0x30, &[&attribute, &tlv(0x31, &[&[6, 3, 0x2a, 3, 4]])]));
        }),
        ("revocation lists", |p| p.crls = true),
        ("unsigned attributes", |p| p.unsigned = true),
        ("seventeen certificates", |p| p.certificates = vec![p.certificates[0].clone(); 17]),
        ("a short hash", |p| p.info[INFO_IMPRINT] = tlv(0x30, &[SHA256, &tlv(4, &[&[5; 31]])])),
        ("a time without seconds", |p| p.info[INFO_TIME] = tlv(0x18, &[b"202701150800Z"])),
        ("a needless byte in a number", |p| p.info[3] = vec![2, 2, 0, 9]),
        ("a number without bytes", |p| p.info[3] = vec![2, 0]),
        ("a serial number of 65 bytes", |p| p.info[3] = tlv(2, &[&[1; 65]])),
        // Its last eight bytes are those of version 1.
        ("a version of nine bytes", |p| p.info[INFO_VERSION] = tlv(2, &[&[1, 0, 0, 0, 0, 0, 0, 0, 1]])),
        ("`ordering` that is neither true nor false", |p| p.info.push(vec![1, 1, 5])),
        ("a fraction of a second that is no number", |p| p.info[INFO_TIME] = tlv(0x18, &[b"20270115080010.1x5Z"])),
        ("a fraction of 33 digits", |p| p.info[INFO_TIME] = tlv(0x18, &[format!("20270115080010.{:033}Z", 1).as_bytes()])),
        ("a hash of SHA-512 that is as long as one of SHA-256", |p| {
            let sha512 = [&SHA256[..SHA256.len() - 1], &[3]].concat();
            p.info[INFO_IMPRINT] = tlv(0x30, &[&sha512, &tlv(4, &[&OVER.0])]);
        }),
        ("a hash with parameters", |p| p.info[INFO_IMPRINT] = tlv(0x30, &[&with_parameters(&[2, 1, 1]), &tlv(4, &[&OVER.0])])),
        ("a hash with empty parameters that are not NULL", |p| {
            p.info[INFO_IMPRINT] = tlv(0x30, &[&with_parameters(&[4, 0]), &tlv(4, &[&OVER.0])]);
        }),
        ("a hash with a NULL that holds something", |p| {
            p.info[INFO_IMPRINT] = tlv(0x30, &[&with_parameters(&[5, 1, 0]), &tlv(4, &[&OVER.0])]);
        }),
        ("a digest algorithm with parameters", |p| p.digests = [with_parameters(&[2, 1, 1]), with_parameters(&[2, 1, 1])]),
        ("a digest algorithm besides the signer's", |p| p.digests[0] = [SHA256, &with_parameters(&[5, 0])].concat()),
        ("another issuer, and the serial number of the certificate", |p| {
            p.signer.1 = tlv(0x30, &[&[0x30, 0], &tlv(2, &[&issued(&p.certificates[0]).1])]);
        }),
        ("what is not SignedData", |p| p.holds[0] = vec![6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 3]),
        ("data that are not TSTInfo", |p| p.holds[1] = vec![6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 1]),
        ("a content type that is no OID", |p| p.content_type[0] = 4),
        ("a digest that is no OCTET STRING", |p| p.digest_tag = 0x0c),
        ("33 attributes", |p| p.more = (0..30).map(|n| tlv(0x30, &[&[6, 3, 0x2a, 3, n], &tlv(0x31, &[&[5, 0]])])).collect()),
        ("a needless byte in a negative number", |p| p.info[3] = vec![2, 2, 0xff, 0x80]),
        ("a critical extension", |p| p.info.push(vec![0xa1, 12, 0x30, 10, 6, 3, 0x2a, 3, 4, 1, 1, 0xff, 4, 0])),
        ("something behind TSTInfo's members", |p| p.info.push(vec![5, 0])),
        ("something behind the hash", |p| p.info[INFO_IMPRINT] = tlv(0x30, &[SHA256, &tlv(4, &[&OVER.0]), &[5, 0]])),
        ("something behind an extension's value", |p| p.info.push(vec![0xa1, 11, 0x30, 9, 6, 3, 0x2a, 3, 4, 4, 0, 5, 0])),
        ("a signer identifier that is a set", |p| p.signer.1[0] = 0x31),
    ];
    let authority = Authority::honest();
    for (what, change) in changes {
        let judged = judged(&authority, change);
        assert!(judged.is_err(), "{what}: {judged:?}");
    }
}

/// Nothing stands behind the parts that a token has, where no signature would cover it.
#[test]
fn nothing_stands_behind_the_parts_of_a_token() {
    let authority = Authority::honest();
    let (roots, token) = (Roots::from_pem(authority.root_pem.as_bytes()).unwrap(), authority.token(OVER.0, AT));
    // Its length and that of what it holds take two bytes each.
    let (of_token, (name, content)) = (&token[4..], token[4..].split_at(11));
    let held = &content[4..];
    let rebuilt = |more: &[u8], inner: &[u8]| tlv(0x30, &[name, &tlv(0xa0, &[held, inner]), more]);
    assert_eq!((rebuilt(&[], &[]), tlv(0x30, &[of_token])), (token.clone(), token.clone()));
    for changed in [rebuilt(&[5, 0], &[]), rebuilt(&[], &[5, 0])] {
        let judged = verify(&changed, OVER, &roots);
        assert!(matches!(judged, Err(TokenError::Malformed(_))), "{judged:?}");
    }
}

/// A signer may be named by the identifier of its key, which its certificate then holds.
#[test]
fn a_signer_is_named_by_its_key_as_well() {
    let identified = |id: &[u8]| CustomExtension::from_oid_content(&[2, 5, 29, 14], tlv(4, &[id]));
    let authority = Authority::new(|p| p.custom_extensions.push(identified(&[1, 2, 3, 4])));
    let named = |version: u8, tag: u8, id: &[u8]| judged(&authority, |p| p.signer = (version, tlv(tag, &[id])));
    assert_eq!(named(3, 0x80, &[1, 2, 3, 4]), Ok(true));
    // Another key, a part of this one, a version or a tag that does not belong to it.
    assert!(matches!(named(3, 0x80, &[1, 2, 3, 5]), Err(TokenError::Unsound(_))));
    assert!(matches!(named(3, 0x80, &[1, 2, 3]), Err(TokenError::Unsound(_))));
    for (version, tag) in [(1, 0x80), (2, 0x80), (3, 0x81), (3, 4)] {
        assert!(matches!(named(version, tag, &[1, 2, 3, 4]), Err(TokenError::Malformed(_))), "{version} {tag:#x}");
    }
    // A certificate without one is not named like that.
    assert!(matches!(judged(&Authority::honest(), |p| p.signer = (3, tlv(0x80, &[&[1, 2, 3, 4]]))), Err(TokenError::Unsound(_))));
}

/// The signed attributes name the certificate by its hash, in one way or both, and may name its issuer and serial number: what they say is so.
#[test]
fn what_names_the_certificate_names_this_one() {
    let authority = Authority::honest();
    let sha1 = |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec();
    let own = sha1(&authority.certificate);
    assert_eq!(judged(&authority, |p| p.more.push(signing_certificate(0x30, &[&tlv(4, &[&own])]))), Ok(true));
    let other = sha1(b"another certificate");
    assert!(matches!(judged(&authority, |p| p.more.push(signing_certificate(0x30, &[&tlv(4, &[&other])]))), Err(TokenError::Unsound(_))));
    // The older attribute has no place for the name of a hash.
    let with_hash = judged(&authority, |p| p.more.push(signing_certificate(0x30, &[SHA256, &tlv(4, &[&own])])));
    assert!(matches!(with_hash, Err(TokenError::Malformed(_))), "{with_hash:?}");
    let a_set = judged(&authority, |p| p.more.push(signing_certificate(0x31, &[&tlv(4, &[&own])])));
    assert!(matches!(a_set, Err(TokenError::Malformed(_))), "{a_set:?}");
    // By the older one alone, and by none.
    let alone = |p: &mut Parts| (p.is_named, p.more) = (false, vec![signing_certificate(0x30, &[&tlv(4, &[&own])])]);
    assert_eq!(judged(&authority, alone), Ok(true));
    let unnamed = judged(&authority, |p| p.is_named = false);
    assert!(matches!(unnamed, Err(TokenError::Malformed(_))), "{unnamed:?}");

    let (issuer, serial) = issued(&authority.certificate);
    let (number, directory) = (tlv(2, &[&serial]), tlv(0xa4, &[&issuer]));
    let issued_by = |names: &[u8], rest: &[&[u8]]| tlv(0x30, &[&tlv(0x30, &[names]), &rest.concat()]);
    assert_eq!(judged(&authority, |p| p.issuer_serial = issued_by(&directory, &[&number])), Ok(true));
    let others = tlv(0xa4, &[&tlv(0x30, &[&tlv(0x31, &[&tlv(0x30, &[&[6, 3, 0x55, 4, 3], &tlv(12, &[b"another"])])])])]);
    for (what, named) in [
        ("another issuer", issued_by(&others, &[&number])),
        ("another serial number", issued_by(&directory, &[&[2, 1, 8]])),
        ("two names", issued_by(&[directory.clone(), others.clone()].concat(), &[&number])),
        ("a name of another kind", issued_by(&tlv(0xa3, &[&issuer]), &[&number])),
        ("something behind the serial number", issued_by(&directory, &[&number, &number])),
    ] {
        let judged = judged(&authority, |p| p.issuer_serial = named);
        assert!(judged.is_err(), "{what}: {judged:?}");
    }
}

/// Scenario: a signature that holds, made with another hash than the token's digest, or named as of a kind that nobody knows. Guarantee: it is not
/// judged by whatever fits: no weaker hash is slipped in beside the one that is named.
#[test]
fn a_signature_is_of_the_kind_that_the_token_names() {
    let sha384 = || [&SHA256[..SHA256.len() - 1], &[2]].concat();
    let with_sha384 = || vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    let authority = Authority::with_key(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(), |_| {});
    let honest = |p: &mut Parts| {
        p.digests = [sha384(), sha384()];
        p.digest = Some(Sha384::digest(tlv(0x30, &[&p.info.concat()])).to_vec());
        p.signature_algorithm = with_sha384();
    };
    assert_eq!(judged(&authority, honest), Ok(true));
    let mixed = judged(&authority, |p| p.signature_algorithm = with_sha384());
    assert!(matches!(mixed, Err(TokenError::Unsupported(_))), "{mixed:?}");
    let unknown = judged(&Authority::honest(), |p| p.signature_algorithm = tlv(0x30, &[&[6, 3, 0x2a, 3, 4]]));
    assert!(matches!(unknown, Err(TokenError::Unsupported(_))), "{unknown:?}");
}

/// Certificates that the trusted root signed, and that are not for time stamps, or not at this time.
#[test]
fn a_certificate_for_something_else_makes_no_token() {
    let usage = |content: &'static [u8]| {
        let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], content.to_vec());
        extension.set_criticality(true);
        extension
    };
    let and_more = usage(&[0x30, 20, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2]);
    let other = usage(&[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1]);
    for extensions in [vec![], vec![only_timestamping(false)], vec![and_more], vec![other]] {
        let authority = Authority::new(|p| p.custom_extensions = extensions);
        assert!(matches!(judged(&authority, |_| {}), Err(TokenError::Unsound(_))));
    }
    let encipherment = Authority::new(|p| p.key_usages = vec![rcgen::KeyUsagePurpose::KeyEncipherment]);
    assert!(matches!(judged(&encipherment, |_| {}), Err(TokenError::Unsound(_))));
    // Not the bits that a key usage is.
    let unreadable = Authority::new(|p| p.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![4, 1, 0x80])));
    assert!(matches!(judged(&unreadable, |_| {}), Err(TokenError::Unsound(_))));
    let signature = Authority::new(|p| p.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature]);
    assert_eq!(judged(&signature, |_| {}), Ok(true));
    // Expired before the time that the token names, not valid yet then; and expired today, but valid then.
    for (from, to, expected) in [(2020, 2027, false), (2028, 2040, false), (2026, 2028, true)] {
        let authority = Authority::new(|p| (p.not_before, p.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1)));
        assert_eq!(judged(&authority, |_| {}), Ok(expected), "{from} to {to}");
    }
}

/// What we ask and what we store are what `openssl ts` knows, with its own command line, for RSA and EC keys.
#[test]
fn openssl_answers_our_requests_and_verifies_our_tokens() {
    if !tsa::has_openssl("requests and tokens against openssl ts") {
        return;
    }
    for key in
        [&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..], &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]]
    {
        let authority = tsa::OpenSsl::new(key);
        let (data, nonce) = (b"a checkpoint\n", Nonce::new([9; 8]));
        let Ok(Reply::Token(token)) = read_reply(&authority.reply(&request(Hash::of(data), &nonce), 0)) else { panic!() };
        let roots = Roots::from_pem(&std::fs::read(authority.roots()).unwrap()).unwrap();
        let stamp = verify_reply(&token, Hash::of(data), &roots, Some(&nonce)).unwrap();
        assert!(stamp.is_trusted() && stamp.authority.contains("signer"), "{stamp:?}");
        let folder = authority.roots().parent().unwrap().to_owned();
        std::fs::write(folder.join("token.tsr"), &token).unwrap();
        std::fs::write(folder.join("checkpoint"), data).unwrap();
        let said = tsa::openssl(&folder, &["ts", "-verify", "-data", "checkpoint", "-in", "token.tsr", "-token_in", "-CAfile", "root.pem"]);
        assert!(String::from_utf8(said.unwrap()).unwrap().contains("Verification: OK"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any bytes, and any change of true ones, are judged without a panic, and never believed.
    #[test]
    fn no_bytes_break_the_reader(noise in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..1234, cut in 0_usize..200) {
        let mut token = golden("p256.tsr");
        let end = (at + cut).min(token.len());
        let unchanged = token[at.min(end)..end] == noise[..];
        token.splice(at.min(end)..end, noise.iter().copied());
        for bytes in [&noise, &token] {
            let judged = verify(bytes, stamped(), &roots());
            prop_assert!(unchanged || !judged.is_ok_and(|stamp| stamp.is_trusted()));
            let _ = (claim(bytes), read_reply(bytes), Roots::from_pem(bytes));
        }
    }
}

/// Nothing longer than a token may be is looked into.
#[test]
fn a_token_has_a_longest_length() {
    let authority = Authority::honest();
    let long =
        |bytes: usize| judged(&authority, |p| p.info.push(tlv(0xa1, &[&tlv(0x30, &[&[6, 3, 0x2a, 3, 4], &tlv(4, &[&vec![0; bytes]])])])));
    assert_eq!(long(TOKEN_BYTES_MAX - 3000), Ok(true));
    assert!(matches!(long(TOKEN_BYTES_MAX - 100), Err(TokenError::Malformed(why)) if why.contains("65536")));
    let reply = |bytes: usize| read_reply(&granted(&tlv(0x30, &[&vec![0; bytes]])));
    assert!(matches!(reply(TOKEN_BYTES_MAX - 20), Ok(Reply::Token(_))));
    assert!(matches!(reply(TOKEN_BYTES_MAX - 10), Err(TokenError::Malformed(_))));
    // Nor more roots than anybody trusts.
    let roots = |n: usize| Roots::from_pem(authority.root_pem.repeat(n).as_bytes());
    assert!(roots(1000).is_ok() && roots(1001).is_err());
}
