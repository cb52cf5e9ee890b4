//! The one integration test binary: each module proves one promise.
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected should stop there, and not every build uses every helper"
)]

mod support;

mod access;
mod acts;
mod bucket_policies;
mod by_reference;
mod clouds;
mod collector;
mod command_line;
mod content_apart;
mod copies;
mod cosigned;
mod corpus_replay;
mod crash;
mod demo;
mod doctor;
mod end_to_end;
mod erase;
mod erase_again;
mod erase_by_tls;
mod govern;
mod guides;
mod keygen_vault;
mod large_requests;
mod examples;
mod expiry;
mod outsider;
mod own_rules;
mod part_of_a_log;
mod partial_tiles;
mod pretenders;
mod proof_range;
mod promotion_views;
mod readme;
mod readme_run;
mod receipts;
mod retention;
mod retention_servers;
mod retention_status;
mod rotation;
mod golden;
mod hold;
mod lint;
mod s3_log;
mod sdk_clients;
mod second_verifier;
mod simulation;
mod stated_counts;
mod tidy;
mod tiles;
mod tamper;
mod terminal;
mod tamper_matrix;
mod verify_bounds;
mod verify_edges;
mod where_it_ends;
mod timestamps;
mod unread;
mod vault_bucket;
mod vault_damage;
mod vault_place;
mod witnesses;
mod worm_contract;
mod wrong_port;
