//! The words for what is found and noted.

use serde::{Serialize, Serializer};

/// What was found. The words are stable: scripts and alerts match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each word is explained where it is reported, in the item's own `meaning`")]
pub enum Kind {
    // Findings.
    LogFile,
    WrongKey,
    SealMissing,
    SealBroken,
    SealChain,
    SealForeign,
    Fork,
    ForeignVersion,
    Flooded,
    Hidden,
    SegmentMissing,
    SegmentBytes,
    SegmentForm,
    SegmentContent,
    CountPromoted,
    CountReceived,
    StatementTime,
    SealedAhead,
    RetentionShort,
    LockMissing,
    LockWeak,
    HoldMissing,
    DecreesWrong,
    SegmentUnnamed,
    CheckpointInvalid,
    Rollback,
    TileWrong,
    TimestampForeign,
    TimestampInvalid,
    TimestampEarly,
    KeptCheckpoint,
    CosignatureBroken,
    CosignatureForeign,
    // Notes.
    Extends,
    ConfigUnrecorded,
    Orphan,
    Duplicate,
    MarkerPastDate,
    SegmentExpired,
    Silence,
    Restart,
    NotWorm,
    Copy,
    OtherSchema,
    NotCovered,
    CheckpointAbsent,
    TileAbsent,
    TimestampUnchecked,
    TimestampUnknown,
    TimestampExpired,
    TimestampAhead,
    CosignatureUnknown,
    CosignedTime,
    Unchecked,
    More,
}

impl Kind {
    /// Whether a lock or a legal hold is not as it has to be.
    pub fn is_of_locks(self) -> bool {
        matches!(self, Kind::LockMissing | Kind::LockWeak | Kind::HoldMissing)
    }

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::LogFile => "log_file",
            Kind::WrongKey => "wrong_key",
            Kind::SealMissing => "seal_missing",
            Kind::SealBroken => "seal_broken",
            Kind::SealChain => "seal_chain",
            Kind::SealForeign => "seal_foreign",
            Kind::Fork => "fork",
            Kind::ForeignVersion => "foreign_version",
            Kind::Flooded => "flooded",
            Kind::Hidden => "hidden",
            Kind::SegmentMissing => "segment_missing",
            Kind::SegmentBytes => "segment_bytes",
            Kind::SegmentForm => "segment_form",
            Kind::SegmentContent => "segment_content",
            Kind::CountPromoted => "count_promoted",
            Kind::CountReceived => "count_received",
            Kind::StatementTime => "statement_time",
            Kind::SealedAhead => "sealed_ahead",
            Kind::RetentionShort => "retention_short",
            Kind::LockMissing => "lock_missing",
            Kind::LockWeak => "lock_weak",
            Kind::HoldMissing => "hold_missing",
            Kind::DecreesWrong => "decrees_wrong",
            Kind::SegmentUnnamed => "segment_unnamed",
            Kind::CheckpointInvalid => "checkpoint_invalid",
            Kind::Rollback => "rollback",
            Kind::TileWrong => "tile_wrong",
            Kind::TimestampForeign => "timestamp_foreign",
            Kind::TimestampInvalid => "timestamp_invalid",
            Kind::TimestampEarly => "timestamp_early",
            Kind::KeptCheckpoint => "kept_checkpoint",
            Kind::CosignatureBroken => "cosignature_broken",
            Kind::CosignatureForeign => "cosignature_foreign",
            Kind::Extends => "extends",
            Kind::ConfigUnrecorded => "config_unrecorded",
            Kind::Orphan => "orphan",
            Kind::Duplicate => "duplicate",
            Kind::MarkerPastDate => "marker_past_date",
            Kind::SegmentExpired => "segment_expired",
            Kind::Silence => "silence",
            Kind::Restart => "restart",
            Kind::NotWorm => "not_worm",
            Kind::Copy => "copy",
            Kind::OtherSchema => "other_schema",
            Kind::NotCovered => "not_covered",
            Kind::CheckpointAbsent => "checkpoint_absent",
            Kind::TileAbsent => "tile_absent",
            Kind::TimestampUnchecked => "timestamp_unchecked",
            Kind::TimestampUnknown => "timestamp_unknown",
            Kind::TimestampExpired => "timestamp_expired",
            Kind::TimestampAhead => "timestamp_ahead",
            Kind::CosignatureUnknown => "cosignature_unknown",
            Kind::CosignedTime => "cosigned_time",
            Kind::Unchecked => "unchecked",
            Kind::More => "more",
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
