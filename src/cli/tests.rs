//! Definition, help texts, values.

use super::*;
use crate::clock::UnixSeconds;
use crate::tlog::note::NoteSigner;
use clap::CommandFactory;

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_help_with_examples() {
    for command in Cli::command().get_subcommands() {
        let mut command = command.clone();
        let help = command.render_long_help().to_string();
        assert!(help.contains("Examples:"), "{help}");
        assert!(help.is_ascii(), "{help}");
    }
    // `--kind decision` selects by another rule than other kinds do (`record.md` section 5, rule 1).
    let query = Cli::command().find_subcommand_mut("query").unwrap().render_long_help().to_string();
    let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(query.contains("every record that states a decision"), "{query}");
    // Whoever does not know what there is to look for finds it here.
    let kinds = query.split("Kinds that").skip(1).flat_map(|list| list.split([' ', ',', '.'])).collect::<Vec<_>>();
    for kind in values::KINDS {
        assert!(kinds.contains(&kind), "{kind}: {query}");
    }
    let mut top = Cli::command();
    let help = top.render_long_help().to_string();
    for word in ["demo", "serve", "verify", "query", "show", "prove", "check", "doctor", "keygen", "SPANSEAL_STORE", "64"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

/// Guarantee: a paragraph of a help text is broken by the terminal alone. One that is broken by hand as well is ragged on a narrow one.
#[test]
fn no_paragraph_of_a_help_text_is_broken_by_hand() {
    fn check(command: &clap::Command) {
        let help = command.clone().term_width(10_000).render_long_help().to_string();
        for (line, next) in help.lines().zip(help.lines().skip(1)) {
            let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
            let is_whole = line.ends_with(['.', ':']) || line.starts_with("Usage");
            assert!(is_whole || !is_text(line) || !is_text(next), "{}: {line}\n{next}", command.get_name());
        }
        command.get_subcommands().for_each(check);
    }
    check(&Cli::command());
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("spanseal").chain(line.split_whitespace()))
}

#[test]
fn store_and_config_stand_before_or_behind_the_command() {
    for line in ["--store ./x verify", "verify --store ./x"] {
        assert_eq!(parse(line).unwrap().global.store.as_deref(), Some("./x"));
    }
    let error = parse("verify --store ftp://x").unwrap_err().to_string();
    assert!(error.contains("`ftp` stores are not known"), "{error}");
    assert!(parse("verify --from yesterday").unwrap_err().to_string().contains("neither the index of a seal (17) nor a date"));
    assert!(parse("nonsense").is_err() && parse("").is_err());
}

#[test]
fn print_config_takes_an_optional_form() {
    let of = |line: &str| match parse(line).unwrap().command {
        Command::Serve(args) => args.print_config,
        _ => None,
    };
    assert_eq!(of("serve"), None);
    assert_eq!(of("serve --print-config"), Some(PrintAs::Yaml));
    assert_eq!(of("serve --print-config=json"), Some(PrintAs::Json));
}

#[test]
fn times_and_bounds() {
    assert_eq!(parse_from("2026-11-20").unwrap().rfc3339(), "2026-11-20T00:00:00.000000000Z");
    assert_eq!(parse_to("2026-11-20").unwrap().rfc3339(), "2026-11-20T23:59:59.999999999Z");
    assert_eq!(parse_to("2026-11-20T10:00:00+01:00").unwrap().rfc3339(), "2026-11-20T09:00:00.000000000Z");
    assert_eq!(parse_bound_from("17"), Ok(Bound::Seal(17)));
    assert_eq!(parse_bound_to("1970-01-02"), Ok(Bound::Time(UnixSeconds(2 * 86_400 - 1))));
    assert!(parse_bound_from("99999999999999999999").is_err());
}

#[test]
fn keys_come_from_the_flag_a_file_or_the_environment() {
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.vkey");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    for key in [KEY, file.to_str().unwrap()] {
        let Command::Verify(args) = parse(&format!("verify --vkey {key}")).unwrap().command else { panic!() };
        assert_eq!(args.keys.vkey[0].name(), "PeterNeumann");
    }
    let mut cli = parse("check proof.json").unwrap();
    cli.complete(&Environment::of([("SPANSEAL_VKEY", KEY)])).unwrap();
    let Command::Check(args) = &cli.command else { panic!() };
    assert_eq!(args.keys.vkey.len(), 1);
    let error = parse("check p --vkey nonsense").unwrap_err().to_string();
    assert!(error.contains("keygen --public") && !error.contains("no file"), "{error}");
    let missing = folder.path().join("no+file+here");
    assert!(parse_vkey(missing.to_str().unwrap()).unwrap_err().contains("no file `"), "a path may hold plus signs");
    assert!(parse_vkey(folder.path().to_str().unwrap()).unwrap_err().contains("cannot be read"), "a folder");
    let damaged = parse_vkey(&KEY.replace("c74f", "c74e")).unwrap_err();
    assert!(!damaged.contains("no file"), "a damaged key is no path: {damaged}");
    std::fs::write(&file, "x".repeat(5000)).unwrap();
    assert!(parse_vkey(file.to_str().unwrap()).unwrap_err().contains("longer than any public key"));
}

/// Of two keys for one log only one could count: nobody chooses in silence. The same key twice, and keys of several logs, are meant.
#[test]
fn two_keys_for_one_log_are_refused() {
    let key = |origin: &str, seed: u8| NoteSigner::new(origin, &[seed; 32]).unwrap().verifier().to_string();
    let (ours, again, stranger) = (key("a.example/prod", 1), key("a.example/prod", 2), key("b.example/prod", 1));
    let refused = |line: &str, environment: &str| parse(line).unwrap().complete(&Environment::of([("SPANSEAL_VKEY", environment)])).err();
    // Whoever checks a proof may bring the keys of before and after a change: one of them will do.
    assert_eq!(refused(&format!("check x --vkey {ours} --vkey {again}"), ""), None);
    for command in ["verify", "query", "show x", "prove x"] {
        let both = |other: &str| refused(&format!("{command} --vkey {ours} --vkey {other}"), "");
        let why = both(&again).unwrap();
        assert!(why.contains(&ours) && why.contains(&again), "{why}");
        assert_eq!(refused(command, &format!("{ours} {again}")), Some(why));
        assert!(both(&stranger).is_some(), "one folder, two logs");
        for fine in [&ours, &key("a.example/test", 1)] {
            assert_eq!(both(fine), None);
        }
    }
}

/// A checkpoint that was kept comes as the note itself or inside a proof; a file that holds none is a usage error with a sentence.
#[test]
fn kept_checkpoints_come_as_notes_and_in_proofs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept");
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format");
    let at = |name: &str| parse_checkpoint(golden.join(name).to_str().unwrap()).unwrap().checkpoint;
    assert_eq!(at("store/vectors/checkpoint").size.0, 9);
    assert_eq!(at("store/vectors/checkpoint"), at("proof.json"));
    assert_eq!(at("store/vectors/seals/00000000000000000004.json").size.0, 5);
    for (inside, words) in
        [(&b"hello"[..], "no blank line"), (b"", "no blank line"), (b"{\"checkpoint\":\"\"}", "no blank line"), (b"\xff", "not text")]
    {
        std::fs::write(&file, inside).unwrap();
        let error = parse_checkpoint(file.to_str().unwrap()).unwrap_err();
        assert!(error.contains(words) && error.contains("as it was kept"), "{error}");
    }
    let error = parse("verify --since-checkpoint no-such-file").unwrap_err().to_string();
    assert!(error.contains("--since-checkpoint <FILE>") && error.contains("cannot be read"), "{error}");
}

#[test]
fn a_range_does_not_end_before_it_begins() {
    let complete = |line: &str| parse(line).unwrap().complete(&Environment::default());
    for line in ["verify --from 3 --to 1", "verify --from 2026-11-20 --to 2026-11-19"] {
        assert!(complete(line).unwrap_err().contains("`--from` lies after `--to`"), "{line}");
    }
    // A time and an index are compared by the log alone.
    for line in ["verify --from 3 --to 3", "verify --from 2026-11-20 --to 2026-11-20", "verify --from 2026-11-20 --to 1", "verify --to 0"] {
        complete(line).unwrap();
    }
}

/// What cannot be meant is refused with a sentence, and never answered with an empty list.
#[test]
fn conditions_that_cannot_be_met_are_usage_errors() {
    for (line, words) in [
        ("query --kind nonsense", "kinds are inference"),
        ("query --trace-id 4bf92f35", "not 32 hexadecimal digits"),
        ("query --record-id loan-2026-0042", "not 32 hexadecimal digits"),
        ("query --limit 0", "asks for nothing"),
        ("query --limit many", "no number of records"),
    ] {
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains(words), "{line}: {error}");
    }
    let complete = |line: &str| parse(line).unwrap().complete(&Environment::of([("SPANSEAL_STORE", "x")]));
    for (line, words) in [
        ("query --from 2026-11-21 --to 2026-11-20", "later than --to"),
        ("query --proof", "--format json"),
        ("query --proof --format jsonl", "--format json"),
        ("query --proof --format csv", "--format json"),
        ("query --content", "--format json"),
    ] {
        let error = complete(line).unwrap_err();
        assert!(error.contains(words), "{line}: {error}");
    }
    complete("query --from 2026-11-20 --to 2026-11-20 --kind config_change --limit 1 --proof --format json").unwrap();
    let Command::Query(args) = parse("query --trace-id 4BF92F3577B34DA6A3CE929D0E0E4736").unwrap().command else { panic!() };
    assert_eq!(args.select.trace_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
}
