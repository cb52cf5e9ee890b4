//! What a record says of a legal hold or an extension: a step of a decree (`crate::govern::decrees`).

use super::access::why;
use super::words::{count, date, quote};
use crate::govern::decrees::{Entry, Order, Step};
use crate::govern::query::Query;
use crate::query::Hit;
use crate::worm::Mode;

/// A step that can be read.
fn step(hit: &Hit) -> Option<Entry> {
    Entry::of(&hit.record)?.ok()
}

/// The leading sentence. `None`: no step of a decree, or one that this version cannot read.
pub(super) fn lead(hit: &Hit) -> Option<&'static str> {
    let entry = step(hit)?;
    Some(match (entry.of.order, entry.step) {
        (Order::Hold, Step::Open) => "A legal hold was placed: what it means must not be deleted until it is released.",
        (Order::Hold, Step::Apply) => "A legal hold was carried out.",
        (Order::Hold, Step::Close | Step::GiveUp) => "A legal hold was released.",
        (Order::Extend(_), Step::Open) => "It was ordered to keep evidence longer.",
        (Order::Extend(_), Step::Apply) => "An order to keep evidence longer was carried out in part.",
        (Order::Extend(_), Step::Close) => "An order to keep evidence longer was carried out to its end.",
        (Order::Extend(_), Step::GiveUp) => "An order to keep evidence longer was given up before its end.",
    })
}

/// What it means, how far it went, and why. `None`: as for [`lead`].
pub(super) fn sentences(hit: &Hit) -> Option<Vec<String>> {
    let entry = step(hit)?;
    let of = &entry.of;
    let meant = match Query::parse(&of.query) {
        Ok(query) => query.words(),
        Err(_) => "what this version cannot read".to_owned(),
    };
    let mut told = vec![match of.order {
        Order::Hold => format!("The matter is {}; it means {}.", quote(&of.id), quote(&meant)),
        Order::Extend(lock) => {
            let mode = match lock.mode {
                Mode::Compliance => ", under a lock that nobody can lift",
                Mode::Governance => "",
            };
            let until = date(lock.retain_until);
            format!("The order is {}; what it means, {}, is kept until {until} at least{mode}.", quote(&of.id), quote(&meant))
        }
    }];
    let segments = count(u64::try_from(entry.segments.len()).unwrap_or(u64::MAX), "record file");
    let below = count(of.through, "seal");
    match entry.step {
        Step::Open => told.push("Nothing had been done for it yet; later records say what was.".to_owned()),
        Step::Close if of.order == Order::Hold => {
            told.push("What no other hold keeps may be deleted from then on, once the time is over for which it was locked.".to_owned());
        }
        Step::Apply | Step::Close => {
            told.push(format!(
                "Since the record before this one it was carried out on {segments}; by then the first {below} were looked at."
            ));
        }
        Step::GiveUp => told.push(format!("The first {below} had been looked at; what was done there stays.")),
    }
    told.extend(why(hit));
    Some(told)
}
