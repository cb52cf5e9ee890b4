//! `cargo fuzz run promotion`: any bytes through the wire reader, the JSON reader and the promotion.
#![no_main]

#[path = "../views.rs"]
mod views;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| views::any(bytes));
