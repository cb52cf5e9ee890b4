//! A vault that somebody damaged, each way by itself: `doctor` names what is damaged and what to do, and does not end with 0.

use std::path::Path;

use crate::erase::again::copy;
use crate::erase::everything;
use crate::support::eventually;
use crate::support::receiver::Site;

/// A site with content in its vault, where nothing runs, and a backup of the vault.
fn site() -> Site {
    let site = Site::local();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    copy(&site.path("store-vault/spanseal"), &site.path("backup"));
    let doctor = site.run(&["doctor"]);
    assert!(doctor.status.code() == Some(0) && doctor.stdout.contains("all of these can be read"), "{doctor}");
    site
}

fn restore(site: &Site) {
    let vault = site.path("store-vault/spanseal");
    std::fs::remove_dir_all(&vault).unwrap();
    copy(&site.path("backup"), &vault);
}

fn packs(vault: &Path) -> Vec<std::path::PathBuf> {
    let days = std::fs::read_dir(vault.join("packs")).unwrap().map(|day| day.unwrap().path());
    days.flat_map(|day| std::fs::read_dir(day).unwrap().map(|pack| pack.unwrap().path())).collect()
}

/// Guarantee: each damage is one problem that names the object, and what to do now.
#[test]
fn doctor_names_each_damage_of_a_vault() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage, &str); 9] = [
        ("packs gone", |vault| std::fs::remove_dir_all(vault.join("packs")).unwrap(), "the packs of 3 seals of 20"),
        ("packs junk", |vault| packs(vault).iter().for_each(|pack| std::fs::write(pack, "junk").unwrap()), "it is no object of a vault"),
        (
            "packs changed",
            |vault| {
                for pack in packs(vault) {
                    let mut bytes = std::fs::read(&pack).unwrap();
                    *bytes.last_mut().unwrap() ^= 1;
                    std::fs::write(pack, bytes).unwrap();
                }
            },
            "it does not open",
        ),
        ("a file for packs", |vault| file_for(&vault.join("packs")), "`spanseal/packs`: something that is no folder"),
        ("a file for erasures", |vault| file_for(&vault.join("erasures")), "`spanseal/erasures`: something that is no folder"),
        (
            "a folder for state",
            |vault| {
                std::fs::remove_file(vault.join("state")).unwrap();
                std::fs::create_dir(vault.join("state")).unwrap();
            },
            "`spanseal/state`: something that is no file",
        ),
        ("no state", |vault| std::fs::remove_file(vault.join("state")).unwrap(), "what it remembers of itself (`state`) is not there"),
        ("no owner", |vault| std::fs::remove_file(vault.join("owner")).unwrap(), "`spanseal/owner`: it is not there"),
        ("no persons", |vault| std::fs::remove_dir_all(vault.join("persons")).unwrap(), "of its objects of persons are not there"),
    ];
    let site = site();
    let mut untold = Vec::new();
    for (what, damage, told) in damages {
        damage(&site.path("store-vault/spanseal"));
        let doctor = site.run(&["doctor"]);
        let line = doctor.stdout.lines().find(|line| line.contains(told));
        if doctor.status.code() != Some(1) || !line.is_some_and(|line| line.starts_with("problem   vault")) {
            untold.push(format!("{what}: {doctor}"));
        }
        restore(&site);
        assert_eq!(site.run(&["doctor"]).status.code(), Some(0), "{what}");
    }
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

fn file_for(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::write(folder, "x").unwrap();
}

/// Scenario: the packs of a day are taken away while nothing runs, and `owner` with them. Guarantee: the start says both, makes `owner` again,
/// and the metric says how many seals it concerns; it is told until they are put back.
#[test]
fn serve_misses_packs_that_are_gone() {
    let site = site();
    let vault = site.path("store-vault/spanseal");
    std::fs::remove_dir_all(vault.join("packs")).unwrap();
    std::fs::remove_file(vault.join("owner")).unwrap();
    for start in ["first", "second"] {
        let receiver = site.serve();
        eventually(start, || {
            let said = receiver.stderr();
            (said.contains("vault.packs.gone") && said.contains("missing=3")).then_some(())
        });
        assert_eq!(receiver.stderr().contains("vault.owner.gone"), start == "first");
        assert!(receiver.stop().success());
    }
    copy(&site.path("backup/packs"), &vault.join("packs"));
    let doctor = site.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{doctor}");
    std::fs::remove_dir_all(vault.join("packs")).unwrap();
    file_for(&vault.join("packs"));
    let served = site.run(&["serve"]);
    assert!(served.status.code() == Some(2) && served.stderr.contains("`spanseal/packs`: something that is no folder"), "{served}");
}
