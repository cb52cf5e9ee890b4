//! `spanseal keygen`: makes keys on purpose, and prints the public half for auditors.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::output;
use crate::cli::{KeyKind, KeygenArgs, WITNESS_KEY};
use crate::config::{Config, VaultPlace};
use crate::receive::token;
use crate::seal::keys::{KeyError, LogKey};
use crate::serve::ServeError;
use crate::serve::keys::{load_identity, load_vault_key, log_exists, lost, make_secret, missing};
use crate::serve::vault::expect_no_vault;
use crate::vault::open_place;
use crate::witness::key;
use crate::worm;

/// Runs it. stdout gets the public key, and nothing else.
pub async fn run(args: KeygenArgs, config: &Config) -> anyhow::Result<ExitCode> {
    if let Some(name) = &args.token {
        // Before anything is made.
        let closed = close_stdout().context("no token was made, because the file that stdout goes to could not be kept from others")?;
        let (token, line) = token::generate(name).context("the operating system gives no random bytes")?;
        match &args.key_file {
            Some(file) => {
                let had = append(file, name, &line)
                    .with_context(|| format!("`{}` could not be written, so no token was made", file.display()))?;
                if had {
                    output::tell(&format!(
                        "a token of `{name}` stood there already and is let in as before: take its line away when nobody sends it any more"
                    ));
                }
                output::tell(&format!("its hash stands in {}, which `serve` reads at its start (`auth.token_file`)", file.display()));
            }
            None => output::tell(&format!("the line for the file that `auth.token_file` names: {line}")),
        }
        output::tell(&format!("who sends the token that follows on stdout is let in as `{name}`; it is shown this once"));
        if closed {
            output::tell("the file that stdout goes to holds it now, and only its owner may read that (mode 0600)");
        }
        output::answer(&format!("{}\n", token.as_str()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = &args.witness {
        let file = args.key_file.as_deref().unwrap_or(Path::new(WITNESS_KEY));
        let key = key::generate(file, name)?;
        output::tell(&format!("made witness key {} (mode 0600): back it up, and cosign with it as this witness only", file.display()));
        output::tell(&format!(
            "the public half, for operators of logs (log.witnesses) and for auditors (--witness), follows on stdout; `spanseal keygen --public \
             --key-file {}` prints it again",
            file.display()
        ));
        output::answer(&format!("{}\n", key.public()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(file) = &args.key_file {
        // Of a log the configuration names the key.
        output::answer(&format!("{}\n", key::load(file)?.public()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (log_file, identity_file) = (&config.log.key_file, &config.identity.key_file);
    if args.next {
        return next(&args, config);
    }
    if args.public {
        let key = match LogKey::load(log_file) {
            Err(KeyError::Missing(path)) => anyhow::bail!(
                "key file `{}` (log.key_file) does not exist, so there is no public half to print: give the --config of the log whose key is meant, or \
                 --key-file for the key of a witness; `spanseal keygen` makes a key for a log that is not there yet",
                path.display()
            ),
            other => other?,
        };
        output::answer(&format!("{}\n", key.verifier()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = match args.only {
        None => missing(config),
        Some(KeyKind::Log) => Some(("log.key_file", log_file.as_path())).filter(|(_, path)| !path.exists()),
        // Its key is no part of the log: whether the vault keeps anything is looked at below.
        Some(KeyKind::Vault) => None,
        Some(KeyKind::Identity) => Some(("identity.key_file", identity_file.as_path())).filter(|(_, path)| !path.exists()),
    };
    if let Some((key, path)) = wanted {
        expect_no_log(config, key, path).await?;
    }
    if let (None | Some(KeyKind::Vault), Some(vault)) = (args.only, &config.content.vault)
        && !vault.key_file.exists()
    {
        expect_unused(config, vault).await?;
    }
    if matches!(args.only, None | Some(KeyKind::Identity)) {
        match make_secret(identity_file) {
            Ok(()) => output::tell(&format!(
                "made identity key {} (mode 0600): back it up, and give every replica of this store the same",
                identity_file.display()
            )),
            // With both asked for, one that is there and good is what was wanted.
            Err(KeyError::Exists(_)) if args.only.is_none() => {
                load_identity(identity_file)?;
                output::tell(&format!("identity key {} exists already and is kept", identity_file.display()));
            }
            Err(other) => return Err(other.into()),
        }
    }
    match (args.only, &config.content.vault) {
        (Some(KeyKind::Vault), None) => {
            anyhow::bail!(
                "the configuration has no vault (`content.vault.url`, and `content.mode` or `identity.mode` `vault`), so it needs no key"
            )
        }
        (only @ (None | Some(KeyKind::Vault)), Some(vault)) => make_vault_key(&vault.key_file, only)?,
        _ => {}
    }
    if matches!(args.only, None | Some(KeyKind::Log)) {
        let key = match LogKey::generate(log_file, &config.log.origin) {
            Ok(key) => {
                output::tell(&format!(
                    "made log key {} (mode 0600) for log {}: back it up, and use it for no other log",
                    log_file.display(),
                    key.origin()
                ));
                key
            }
            Err(KeyError::Exists(_)) if args.only.is_none() => {
                let key = LogKey::load(log_file)?;
                key.expect_origin(&config.log.origin)?;
                output::tell(&format!("log key {} exists already and is kept", log_file.display()));
                key
            }
            Err(other) => return Err(other.into()),
        };
        output::tell(
            "the public half of the log key, for auditors, follows on stdout; they verify with `--vkey`. `spanseal keygen --public`, with the same \
             --config, prints it again",
        );
        output::answer(&format!("{}\n", key.verifier()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A line has some hundred bytes: ten thousand senders.
const TOKENS_BYTES_MAX: u64 = 1024 * 1024;

/// Keeps others from reading a file that stdout goes to, while it does not hold the secret yet: a shell makes it as its umask says, mostly
/// readable by everybody. Whether it was open to others. What is no file (a terminal, a pipe) is nobody else's.
fn close_stdout() -> std::io::Result<bool> {
    use rustix::fs::{FileType, Mode, fchmod, fstat};
    let stdout = std::io::stdout();
    let stat = fstat(&stdout)?;
    let is_open = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_mode & 0o077 != 0;
    if is_open {
        fchmod(&stdout, Mode::RUSR | Mode::WUSR)?;
    }
    Ok(is_open)
}

/// Adds a line to a token file. Whether there was one of that name.
///
/// The line holds a hash, which tells nothing of its token, so a file of such lines may be read by others, as one that is there already may
/// be. One that is made here is its owner's alone all the same, because somebody may write a token as it is beside it.
fn append(file: &Path, name: &str, line: &str) -> std::io::Result<bool> {
    let mut open = OpenOptions::new();
    open.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open.open(file)?;
    let mut before = Vec::new();
    (&file).take(TOKENS_BYTES_MAX + 1).read_to_end(&mut before)?;
    if u64::try_from(before.len()).unwrap_or(u64::MAX) > TOKENS_BYTES_MAX || std::str::from_utf8(&before).is_err() {
        return Err(std::io::Error::other("what is in it is no file of tokens"));
    }
    let gap = if before.is_empty() || before.ends_with(b"\n") { "" } else { "\n" };
    file.write_all(format!("{gap}{line}\n").as_bytes())?;
    file.sync_all()?;
    let names = before
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b':').next().filter(|named| named.len() < line.len()));
    Ok(names.map(<[u8]>::trim_ascii).any(|named| named == name.as_bytes()))
}

/// Makes the key that the log changes to, or prints its public half.
fn next(args: &KeygenArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let Some(file) = &config.log.next_key_file else {
        anyhow::bail!("the configuration does not say where the log's next key lies: set `log.next_key_file`, then run this again")
    };
    if !args.public {
        let own = LogKey::load(&config.log.key_file)?;
        own.expect_origin(&config.log.origin)?;
        own.generate_next(file)?;
        output::tell(&format!(
            "made the next key {} (mode 0600) of log {}: back it up. The log changes to it at the next start of `serve`, and never back; its \
             public half follows on stdout. Auditors who hold an older key go on verifying with that one",
            file.display(),
            own.origin()
        ));
    }
    let next = match LogKey::load(file) {
        Err(KeyError::Missing(path)) => {
            anyhow::bail!("key file `{}` (log.next_key_file) does not exist; make it with `spanseal keygen --next`", path.display())
        }
        other => other?,
    };
    output::answer(&format!("{}\n", next.verifier()))?;
    Ok(ExitCode::SUCCESS)
}

fn make_vault_key(path: &Path, only: Option<KeyKind>) -> anyhow::Result<()> {
    match make_secret(path) {
        Ok(()) => {
            output::tell(&format!(
                "made vault key {} (mode 0600): back it up; without it nobody reads what the vault keeps",
                path.display()
            ));
        }
        Err(KeyError::Exists(_)) if only.is_none() => {
            load_vault_key(path)?;
            output::tell(&format!("vault key {} exists already and is kept", path.display()));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// What a vault keeps opens with the key that it has.
async fn expect_unused(config: &Config, vault: &VaultPlace) -> anyhow::Result<()> {
    let asked = match open_place(&vault.url, &config.store.options()).await {
        Ok(place) => expect_no_vault(config, vault, place.as_ref()).await,
        Err(e) => Err(e.into()),
    };
    match asked {
        Err(ServeError::Vault(why)) => {
            output::tell(&format!(
                "note: whether the vault keeps anything of the log `{}` could not be found out ({why}); if it does, `serve` refuses a new key",
                config.log.name
            ));
            Ok(())
        }
        other => Ok(other?),
    }
}

/// A log that exists has its keys; a new one would fit nothing in it.
async fn expect_no_log(config: &Config, key: &'static str, path: &Path) -> anyhow::Result<()> {
    let asked = match worm::open(&config.store.url, &config.store.options()).await {
        Ok(store) => log_exists(store.as_ref(), &config.log.name).await.map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    match asked {
        Ok(false) => Ok(()),
        Ok(true) => Err(lost(config, key, path).into()),
        // Keys are also made where the store cannot be reached; `serve` looks again.
        Err(why) => {
            output::tell(&format!(
                "note: whether the log `{}` exists could not be found out ({why}); if it does, `serve` refuses a new key",
                config.log.name
            ));
            Ok(())
        }
    }
}
